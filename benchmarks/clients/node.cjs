// The measured process of the SDK for node: the protocol of worker.py, the driver "lanes", the calls "chat" and "stream".
"use strict";

const readline = require("node:readline");

const reply = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

function operations(client, question) {
  return {
    chat: async () => (await client.chat.completions.create(question)).choices[0].message.content,
    stream: async () => {
      let characters = 0;
      for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
        characters += (chunk.choices[0].delta.content ?? "").length;
      }
      return characters;
    },
  };
}

function percentile(ordered, share) {
  return ordered[Math.min(ordered.length - 1, Math.trunc(share * ordered.length))] * 1e3;
}

async function lanes(turn, call, expected) {
  const durations = [];
  const checked = async () => {
    const value = await call();
    if (value !== expected) throw new Error(`wrong answer: ${String(value).slice(0, 80)}`);
  };
  const lane = async (deadline) => {
    let begin = performance.now();
    for (let done = 0; done < turn.least || begin < deadline; done += 1) {
      await checked();
      const end = performance.now();
      durations.push(end - begin);
      begin = end;
    }
  };
  const all = (deadline) => Promise.all(Array.from({ length: turn.concurrency }, () => lane(deadline)));
  // Opens the connections.
  await all(0);
  durations.length = 0;
  const cpu = process.cpuUsage();
  const wall = performance.now();
  await all(wall + turn.seconds * 1e3);
  const used = process.cpuUsage(cpu);
  const taken = performance.now() - wall;
  durations.sort((a, b) => a - b);
  return {
    calls: durations.length * turn.per,
    wall: taken / 1e3,
    cpu: (used.user + used.system) / 1e6,
    more: { p50: percentile(durations, 0.5), p99: percentile(durations, 0.99) },
  };
}

async function main() {
  const { baseURL, question, expected } = JSON.parse(process.argv[2]);
  let client;
  try {
    const { OpenAI } = require("openai");
    client = new OpenAI({ apiKey: "sk-bench", baseURL });
  } catch (error) {
    reply({ error: `the package openai of npm is missing: ${error.code ?? error.message}` });
    return;
  }
  const calls = operations(client, question);
  reply({ ready: "node" });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const turn = JSON.parse(line);
    try {
      if (turn.driver !== "lanes" || !(turn.operation in calls)) {
        throw new Error(`the SDK for node has no ${turn.driver} of ${turn.operation} here`);
      }
      reply(await lanes(turn, calls[turn.operation], expected[turn.operation]));
    } catch (error) {
      reply({ error: String(error).slice(0, 500) });
    }
  }
}

main();
