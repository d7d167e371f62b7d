"""Methods of all namespaces, in the same way as calls.py: what they give, in each of their forms."""

# pyright: reportDeprecated=false
from __future__ import annotations

from pathlib import Path

from typing_extensions import reveal_type

from aiopenai import AsyncOpenAI
from aiopenai.types import AudioResponseFormat
from aiopenai.types.chat import ParsedChatCompletion
from aiopenai.types.responses import ParsedResponse


async def images(client: AsyncOpenAI, file: Path) -> None:
    reveal_type(await client.images.generate(prompt="a cat"))  # T: ImagesResponse
    generated = await client.images.generate(prompt="a cat", stream=True)
    reveal_type(generated)  # T: AsyncStream[ImageGenPartialImageEvent | ImageGenCompletedEvent]
    reveal_type(await client.images.edit(image=file, prompt="a hat"))  # T: ImagesResponse
    edited = await client.images.edit(image=[file, b"..."], prompt="a hat", stream=True)
    reveal_type(edited)  # T: AsyncStream[ImageEditPartialImageEvent | ImageEditCompletedEvent]
    reveal_type(await client.images.create_variation(image=file))  # T: ImagesResponse


async def audio(client: AsyncOpenAI, file: Path, format: AudioResponseFormat) -> None:
    reply_5 = await client.audio.speech.create(input="Hello", model="tts-1", voice="alloy")
    reveal_type(reply_5)  # T: HttpxBinaryResponseContent
    reveal_type(await client.audio.transcriptions.create(file=file, model="whisper-1"))  # T: Transcription
    reply_7 = await client.audio.transcriptions.create(file=file, model="whisper-1", response_format="json")
    reveal_type(reply_7)  # T: Transcription
    reply_8 = await client.audio.transcriptions.create(file=file, model="whisper-1", response_format="verbose_json")
    reveal_type(reply_8)  # T: TranscriptionVerbose
    diarized = await client.audio.transcriptions.create(file=file, model="whisper-1", response_format="diarized_json")
    reveal_type(diarized)  # T: TranscriptionDiarized
    reveal_type(await client.audio.transcriptions.create(file=file, model="whisper-1", response_format="srt"))  # T: str
    async for event in await client.audio.transcriptions.create(file=file, model="whisper-1", stream=True):
        if event.type == "transcript.text.delta":
            reveal_type(event)  # T: TranscriptionTextDeltaEvent
    formatted = await client.audio.transcriptions.create(file=file, model="whisper-1", response_format=format)
    reveal_type(formatted)  # T: Transcription | TranscriptionVerbose | TranscriptionDiarized | str
    reply_13 = await client.audio.transcriptions.with_raw_response.create(
        file=file, model="whisper-1", response_format="vtt"
    )
    reveal_type(reply_13)  # T: LegacyAPIResponse[str]
    reply_14 = client.audio.transcriptions.as_request.create(file=file, model="whisper-1", response_format="text")
    reveal_type(reply_14)  # T: Request[str]
    reveal_type(await client.audio.translations.create(file=file, model="whisper-1"))  # T: Translation
    reply_16 = await client.audio.translations.create(file=file, model="whisper-1", response_format="verbose_json")
    reveal_type(reply_16)  # T: TranslationVerbose
    reveal_type(await client.audio.translations.create(file=file, model="whisper-1", response_format="text"))  # T: str
    reveal_type(await client.audio.voices.create(name="v", type="audio_sample", audio_sample=file))  # T: Voice
    reveal_type(await client.audio.voices.delete("id"))  # T: VoiceDeleted
    reveal_type(await client.audio.voice_consents.list())  # T: AsyncCursorPage[VoiceConsent]


async def uploads_and_batches(client: AsyncOpenAI) -> None:
    reply_21 = await client.uploads.create(bytes=3, filename="f", mime_type="text/plain", purpose="batch")
    reveal_type(reply_21)  # T: Upload
    reveal_type(await client.uploads.parts.create("id", data=b"abc"))  # T: UploadPart
    reveal_type(await client.uploads.complete("id", part_ids=["a"]))  # T: Upload
    reveal_type(await client.uploads.cancel("id"))  # T: Upload
    reply_25 = await client.batches.create(completion_window="24h", endpoint="/v1/responses", input_file_id="f")
    reveal_type(reply_25)  # T: Batch
    reveal_type(await client.batches.retrieve("id"))  # T: Batch
    reveal_type(await client.batches.cancel("id"))  # T: Batch
    reveal_type(await client.batches.list(limit=1))  # T: AsyncCursorPage[Batch]


async def vector_stores(client: AsyncOpenAI) -> None:
    reveal_type(await client.vector_stores.create(name="s", metadata={"a": "b"}))  # T: VectorStore
    reveal_type(await client.vector_stores.search("id", query=["a", "b"]))  # T: AsyncPage[VectorStoreSearchResponse]
    reply_31 = await client.vector_stores.files.create("id", file_id="f", chunking_strategy={"type": "auto"})
    reveal_type(reply_31)  # T: VectorStoreFile
    reveal_type(await client.vector_stores.files.retrieve("f", vector_store_id="id"))  # T: VectorStoreFile
    reply_33 = await client.vector_stores.files.content("f", vector_store_id="id")
    reveal_type(reply_33)  # T: AsyncPage[FileContentResponse]
    reveal_type(await client.vector_stores.file_batches.create("id", file_ids=["f"]))  # T: VectorStoreFileBatch
    reply_35 = await client.vector_stores.file_batches.list_files("b", vector_store_id="id")
    reveal_type(reply_35)  # T: AsyncCursorPage[VectorStoreFile]


async def fine_tuning(client: AsyncOpenAI) -> None:
    reveal_type(await client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="f"))  # T: FineTuningJob
    reveal_type(await client.fine_tuning.jobs.list_events("id"))  # T: AsyncCursorPage[FineTuningJobEvent]
    reveal_type(await client.fine_tuning.jobs.checkpoints.list("id"))  # T: AsyncCursorPage[FineTuningJobCheckpoint]
    reply_39 = await client.fine_tuning.checkpoints.permissions.create("c", project_ids=["p"])
    reveal_type(reply_39)  # T: AsyncPage[PermissionCreateResponse]
    reply_40 = await client.fine_tuning.alpha.graders.run(
        grader={"type": "string_check", "name": "n", "input": "i", "operation": "eq", "reference": "r"},
        model_sample="m",
    )
    reveal_type(reply_40)  # T: GraderRunResponse


async def containers_and_skills(client: AsyncOpenAI, file: Path) -> None:
    reveal_type(await client.containers.create(name="c"))  # T: ContainerCreateResponse
    reveal_type(await client.containers.delete("id"))  # T: None
    reveal_type(await client.containers.files.create("id", file=file))  # T: FileCreateResponse
    reveal_type(await client.containers.files.content.retrieve("f", container_id="id"))  # T: HttpxBinaryResponseContent
    reveal_type(await client.skills.create(files=[file]))  # T: Skill
    reveal_type(await client.skills.versions.list("id"))  # T: AsyncCursorPage[SkillVersion]
    reveal_type(await client.skills.content.retrieve("id"))  # T: HttpxBinaryResponseContent


async def conversations_and_evals(client: AsyncOpenAI) -> None:
    reveal_type(await client.conversations.create(metadata={"a": "b"}))  # T: Conversation
    reply_49 = await client.conversations.items.create("id", items=[{"role": "user", "content": "x"}])
    reveal_type(reply_49)  # T: ConversationItemList
    async for item in client.conversations.items.list("id", order="asc"):
        if item.type == "message":
            reveal_type(item)  # T: Message
        elif item.type == "mcp_call":
            reveal_type(item.server_label)  # T: str
    reply_51 = await client.evals.create(data_source_config={"type": "logs"}, testing_criteria=[])
    reveal_type(reply_51)  # T: EvalCreateResponse
    reply_52 = await client.evals.runs.output_items.list("run", eval_id="id")
    reveal_type(reply_52)  # T: AsyncCursorPage[OutputItemListResponse]
    reveal_type(await client.evals.delete("id"))  # T: EvalDeleteResponse


async def videos(client: AsyncOpenAI, file: Path) -> None:
    reveal_type(await client.videos.create(prompt="a cat", seconds="4", input_reference=file))  # T: Video
    reveal_type(await client.videos.list())  # T: AsyncConversationCursorPage[Video]
    reveal_type(await client.videos.download_content("id", variant="thumbnail"))  # T: HttpxBinaryResponseContent


async def realtime_and_live(client: AsyncOpenAI) -> None:
    reply_57 = await client.realtime.calls.create(sdp="v=0", session={"type": "realtime"})
    reveal_type(reply_57)  # T: HttpxBinaryResponseContent
    reveal_type(await client.realtime.calls.hangup("id"))  # T: None
    reply_59 = await client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 60})
    reveal_type(reply_59)  # T: ClientSecretCreateResponse
    reveal_type(await client.live.sessions.hangup("id"))  # T: None
    reveal_type(await client.live.sessions.download_recording("id"))  # T: HttpxBinaryResponseContent


async def decisions(client: AsyncOpenAI, file: Path) -> None:
    reveal_type(await client.content_provenance_checks.create(file=file))  # T: ContentProvenanceCheck


async def safety_and_webhooks(client: AsyncOpenAI) -> None:
    reveal_type(await client.safety.cases.retrieve("id"))  # T: SafetyCase
    reveal_type(await client.webhooks.list())  # T: AsyncCursorPage[WebhookEndpoint]
    reveal_type(await client.webhooks.event_types.list())  # T: WebhookEventTypeList
    reveal_type(await client.webhooks.delete("id"))  # T: DeletedWebhookEndpoint


async def admin(client: AsyncOpenAI) -> None:
    organization = client.admin.organization
    reveal_type(await organization.projects.create(name="p"))  # T: Project
    reveal_type(await organization.projects.users.list("p", limit=3))  # T: AsyncConversationCursorPage[ProjectUser]
    reveal_type(await organization.projects.api_keys.retrieve("k", project_id="p"))  # T: ProjectAPIKey
    reply_66 = await organization.projects.rate_limits.list_rate_limits("p")
    reveal_type(reply_66)  # T: AsyncConversationCursorPage[ProjectRateLimit]
    reveal_type(await organization.users.update("u", role="owner"))  # T: OrganizationUser
    reveal_type(await organization.invites.create(email="a@b.test", role="reader"))  # T: Invite
    reveal_type(await organization.audit_logs.list(limit=1))  # T: AsyncConversationCursorPage[AuditLogListResponse]
    reveal_type(await organization.usage.completions(start_time=1, group_by=["model"]))  # T: UsageCompletionsResponse
    reveal_type(await organization.usage.costs(start_time=1))  # T: UsageCostsResponse
    reveal_type(await organization.certificates.list())  # T: AsyncConversationCursorPage[CertificateListResponse]
    reveal_type(await organization.admin_api_keys.delete("k"))  # T: AdminAPIKeyDeleteResponse


async def beta(client: AsyncOpenAI) -> None:
    reveal_type(await client.beta.assistants.create(model="gpt-4o"))  # T: Assistant
    reveal_type(await client.beta.threads.create(messages=[{"role": "user", "content": "x"}]))  # T: Thread
    reveal_type(await client.beta.threads.messages.list("t"))  # T: AsyncCursorPage[Message]
    reveal_type(await client.beta.threads.runs.create("t", assistant_id="a"))  # T: Run
    async for event in await client.beta.threads.runs.create("t", assistant_id="a", stream=True):
        if event.event == "thread.run.completed":
            reveal_type(event.data)  # T: Run
        elif event.event == "thread.message.delta":
            reveal_type(event.data.delta)  # T: MessageDelta
        elif event.event == "error":
            reveal_type(event.data)  # T: ErrorObject
    reveal_type(await client.beta.threads.runs.steps.retrieve("s", thread_id="t", run_id="r"))  # T: RunStep
    async for event in await client.beta.threads.create_and_run(assistant_id="a", stream=True):
        if event.event == "thread.created":
            reveal_type(event.data)  # T: Thread
    reveal_type(await client.beta.chatkit.sessions.create(user="u", workflow={"id": "w"}))  # T: ChatSession
    reply_82 = await client.beta.responses.create(model="gpt-5", input="x", betas=["responses_multi_agent=v1"])
    reveal_type(reply_82)  # T: BetaResponse
    async for chunk in await client.beta.responses.create(model="gpt-5", input="x", stream=True):
        if chunk.type == "response.output_text.delta":
            reveal_type(chunk)  # T: BetaResponseTextDeltaEvent
    reveal_type(await client.beta.agents.create(model="gpt-5", compaction={"async_": True}))  # T: Agent
    async for progress in await client.beta.agents.sessions.events.stream("s"):
        if progress.type == "error":
            reveal_type(progress)  # T: AgentSessionErrorEvent
    async for step in client.beta.agents.sessions.turns.items.list("t", session_id="s"):
        if step.type == "reasoning":
            reveal_type(step)  # T: AgentReasoningItem
    reveal_type(await client.beta.agents.vaults.credentials.delete("c", vault_id="v"))  # T: CredentialDeleted
    reveal_type(await client.beta.realtime.sessions.create(model="gpt-realtime"))  # T: SessionCreateResponse
    reveal_type(await client.beta.chat.completions.create(model="gpt-4o", messages=[]))  # T: ChatCompletion


class Answer:
    pass


def parsed(chat: ParsedChatCompletion[Answer], reply: ParsedResponse[Answer]) -> None:
    reveal_type(chat.choices[0].message.parsed)  # T: Answer | None
    for call in chat.choices[0].message.tool_calls or ():
        reveal_type(call)  # T: ParsedFunctionToolCall
    reveal_type(reply.output_parsed)  # T: Answer | None
    for item in reply.output:
        if item.type == "message":
            reveal_type(item)  # T: ParsedResponseOutputMessage[Answer]
            for part in item.content:
                if part.type == "output_text":
                    reveal_type(part.parsed)  # T: Answer | None
    print(chat.choices[0].message.parsed.answer)  # E


async def mistakes(client: AsyncOpenAI, file: Path) -> None:
    await client.batches.create(completion_window="24h", endpoint="/v1/responses", input_file="f")  # E
    await client.batches.create(completion_window="48h", endpoint="/v1/responses", input_file_id="f")  # E
    await client.images.generate()  # E
    await client.audio.transcriptions.create(file=file, model="whisper-1", response_format="xml")  # E
    await client.vector_stores.files.retrieve("f", "id")  # E
    await client.admin.organization.projects.create(name=3)  # E
    await client.beta.agents.create(model="gpt-5", compaction={"asynchronous": True})  # E
    client.fine_tuning.jobs.list(size=3)  # E
    print(client.audio.with_raw_response.with_raw_response)  # E
