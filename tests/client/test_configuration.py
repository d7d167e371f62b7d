"""The configuration: options are checked once, and a changed option starts with new caches."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai import AsyncOpenAI, OpenAI, OpenAIError, Timeout, not_given
from aiopenai._base.secret import Secret
from aiopenai._calls.provider import Service
from aiopenai._client.configuration import (
    BaseURL,
    Configuration,
    basic_authorization,
    checked_key,
    chosen_url,
    inherited_credentials,
)
from aiopenai._client.provider import OpenAIProvider
from aiopenai.providers import bedrock
from aiopenai.testing import Server


class TestBaseURL:
    @pytest.mark.parametrize(
        ("given", "root", "query", "login"),
        [
            ("http://h", "http://h", "", ""),
            ("https://h:8443/v1/", "https://h:8443/v1", "", ""),
            ("  https://h/v1 \n", "https://h/v1", "", ""),
            ("https://h/a b/v1", "https://h/a%20b/v1", "", ""),
            ("https://h/größe/v1", "https://h/gr%C3%B6%C3%9Fe/v1", "", ""),
            ("https://h/a%2Fb/v1", "https://h/a%2Fb/v1", "", ""),
            ("https://h/v1?api-version=1 2&é=1", "https://h/v1", "api-version=1%202&%C3%A9=1", ""),
            ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1", "", ""),
            ("http://user:p%40ss@h/v1", "http://h/v1", "", "user:p%40ss"),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1", "", ""),
            ("HTTP://h/v1", "http://h/v1", "", ""),
            ("http://h/v1/#fragment", "http://h/v1", "", ""),
        ],
    )
    def test_forms(self, given: str, root: str, query: str, login: str) -> None:
        found = BaseURL.of(given)
        assert (found.root, found.query, found.login.value) == (root, query, login)
        assert BaseURL.of(found.whole) == found
        assert found.public.endswith("/")

    @pytest.mark.parametrize(
        "given",
        ["", "h/v1", "ftp://h", "http://", "http://a b/v1", "http://h:99999/", "http://h:x/", "http://a\tb\x00/", 7],
    )
    def test_other_values(self, given: Any) -> None:
        with pytest.raises(ValueError, match="base_url must be an http or https URL"):
            BaseURL.of(given)

    @pytest.mark.parametrize("given", ["user:hunter2@h", "ftp://user:hunter2@h/v1", "http://user:hun@ter2:x@h:y/v1"])
    def test_no_password_is_shown(self, given: str) -> None:
        with pytest.raises(ValueError, match="base_url") as caught:
            BaseURL.of(given)
        assert "ter2" not in str(caught.value)

    @given(st.text(max_size=30))
    def test_any_path(self, path: str) -> None:
        try:
            found = BaseURL.of(f"http://h/{path}")
        except ValueError:
            return
        assert found.root.isascii()
        assert " " not in found.root
        assert BaseURL.of(found.whole) == found

    async def test_it_is_sent_so(self, server: Server) -> None:
        async with AsyncOpenAI(api_key="k", base_url=f" {server.base_url}/ä b ") as client:
            with pytest.raises(Exception, match="404"):
                await client.models.list()
        assert server.request_count == 1


class TestOptions:
    """Public attributes: setting one replaces the configuration."""

    @pytest.mark.parametrize(
        ("name", "value", "found"),
        [
            ("api_key", "sk-new", "sk-new"),
            ("admin_api_key", "sk-admin", "sk-admin"),
            ("admin_api_key", None, None),
            ("organization", "org-new", "org-new"),
            ("project", None, None),
            ("webhook_secret", "whsec", "whsec"),
            ("websocket_base_url", "ws://h", "ws://h"),
            ("base_url", "http://new/v2", "http://new/v2/"),
            ("timeout", 7, Timeout(7)),
            ("timeout", None, Timeout(None)),
            ("max_retries", 5, 5),
        ],
    )
    @pytest.mark.parametrize("cls", [AsyncOpenAI, OpenAI])
    def test_setting(self, cls: Any, name: str, value: Any, found: Any) -> None:
        client = cls(api_key="k", organization="o", project="p", max_retries=1)
        before, blocks = client._configuration, client._attempts
        setattr(client, name, value)
        assert getattr(client, name) == found
        assert client._configuration is not before
        assert client._attempts is not blocks
        assert getattr(client.copy(), name) == found
        others = {"api_key", "organization", "project", "max_retries"} - {name}
        assert all(
            getattr(client, each) == getattr(cls(api_key="k", organization="o", project="p", max_retries=1), each)
            for each in others
        )

    @pytest.mark.parametrize(
        ("name", "value", "error"),
        [
            ("api_key", b"k", TypeError),
            ("admin_api_key", 1, TypeError),
            ("webhook_secret", object(), TypeError),
            ("base_url", "h", ValueError),
            ("timeout", "5", TypeError),
            ("timeout", -1, ValueError),
            ("max_retries", -1, ValueError),
            ("max_retries", None, TypeError),
        ],
        ids=range(8),
    )
    def test_wrong_values_change_nothing(self, name: str, value: Any, error: type[Exception]) -> None:
        client = AsyncOpenAI(api_key="k")
        before = client._configuration
        with pytest.raises(error, match=name):
            setattr(client, name, value)
        assert client._configuration is before

    async def test_they_count_from_the_next_call_on(self, server: Server) -> None:
        async with AsyncOpenAI(api_key="k1", base_url=server.base_url) as client:
            await client.models.list()
            client.organization, client.project = "org-1", "proj-1"
            await client.models.list()
            client.organization = None
            client.api_key = "k2"
            await client.models.list()
        seen = [
            (r.headers["authorization"], r.headers.get("openai-organization"), r.headers.get("openai-project"))
            for r in server.journal
        ]
        assert seen == [("Bearer k1", None, None), ("Bearer k1", "org-1", "proj-1"), ("Bearer k2", None, "proj-1")]

    async def test_a_copy_keeps_its_own(self, server: Server) -> None:
        async with AsyncOpenAI(api_key="k1", base_url=server.base_url) as client:
            twin = client.copy()
            client.api_key = "k2"
            await twin.models.list()
        assert server.journal[-1].headers["authorization"] == "Bearer k1"

    async def test_a_key_that_is_set_replaces_a_function(self, server: Server) -> None:
        async with AsyncOpenAI(api_key=lambda: "asked", base_url=server.base_url) as client:
            await client.models.list()
            assert client.api_key == "asked"
            client.api_key = "fixed"
            await client.models.list()
            client.api_key = lambda: "again"  # type: ignore[assignment,method-assign]
            await client.models.list()
        assert [r.headers["authorization"] for r in server.journal] == [
            f"Bearer {k}" for k in ("asked", "fixed", "again")
        ]

    def test_an_option_on_the_class(self) -> None:
        assert AsyncOpenAI.max_retries is not None


class TestConfiguration:
    def test_it_is_immutable(self) -> None:
        configuration = Configuration()
        with pytest.raises(AttributeError):
            configuration.max_retries = 3  # type: ignore[misc]

    def test_no_credentials(self) -> None:
        with pytest.raises(OpenAIError, match="OPENAI_ADMIN_KEY"):
            AsyncOpenAI()

    def test_keys(self) -> None:
        assert checked_key("api_key", None) == Secret("")
        assert checked_key("api_key", "k") == Secret("k")
        assert checked_key("api_key", Secret("k")) == Secret("k")
        assert callable(checked_key("api_key", lambda: "k"))

    def test_basic_authorization(self) -> None:
        assert basic_authorization("us%40er:pa%3Ass") == "Basic dXNAZXI6cGE6c3M="


class Cloud(Service):
    """A service with its own URL and credentials."""

    def provider(self, configuration: Any, wiring: Any) -> Any:
        raise NotImplementedError


class Identity(Cloud):
    """A service that is another way into OpenAI's API."""

    is_cloud = False
    regions: ClassVar[Any] = {"global": "https://identity.test/v1", "eu": "https://eu.identity.test/v1"}


CLOUD = Cloud()
IDENTITY = Identity()


class TestServices:
    """Options that name a service, and copies that change it."""

    def test_a_provider_stands_alone(self) -> None:
        with pytest.raises(OpenAIError, match=r"providers\.bedrock.*not int"):
            AsyncOpenAI(provider=7)  # type: ignore[arg-type]
        for option in ({"api_key": "k"}, {"base_url": "http://h"}, {"data_residency": "eu"}, {"admin_api_key": "a"}):
            with pytest.raises(OpenAIError, match=rf"leave out {next(iter(option))}"):
                AsyncOpenAI(provider=Cloud(), **cast("Any", option))

    def test_a_workload_identity_excludes_a_key(self) -> None:
        with pytest.raises(OpenAIError, match="exclude each other"):
            AsyncOpenAI(api_key="k", workload_identity=cast("Any", {}))

    @pytest.mark.parametrize(
        ("own", "given", "expected"),
        [
            ({}, {}, {"api_key": Secret("k"), "base_url": "http://h/"}),
            ({}, {"api_key": "new"}, {"api_key": "new", "base_url": "http://h/"}),
            ({}, {"base_url": "http://new"}, {"api_key": Secret("k"), "base_url": "http://new"}),
            ({}, {"data_residency": "eu"}, {"api_key": Secret("k"), "base_url": not_given}),
            ({}, {"admin_api_key": "a"}, {"admin_api_key": "a"}),
            ({"service": CLOUD}, {}, {"provider": CLOUD, "api_key": None}),
            ({"service": CLOUD}, {"provider": None, "api_key": "new"}, {"api_key": "new", "base_url": not_given}),
            ({}, {"provider": CLOUD}, {"provider": CLOUD, "api_key": None}),
            ({"service": IDENTITY}, {}, {"workload_identity": IDENTITY, "api_key": None, "base_url": "http://h/"}),
            ({"service": IDENTITY}, {"api_key": "new"}, {"workload_identity": None, "api_key": "new"}),
            ({}, {"workload_identity": IDENTITY}, {"workload_identity": IDENTITY, "api_key": None}),
        ],
        ids=range(11),
    )
    def test_copies(self, own: Any, given: Any, expected: Any) -> None:
        configuration = Configuration(**{"api_key": Secret("k"), "base_url": BaseURL("http://h"), **own})
        defaults: dict[str, Any] = dict.fromkeys(("api_key", "admin_api_key", "workload_identity", "data_residency"))
        found = inherited_credentials(
            configuration, **{**defaults, "provider": not_given, "base_url": not_given, **given}
        )
        assert {name: found.get(name) for name in expected} == expected
        if "provider" not in expected:
            assert "provider" not in found

    def test_regions(self) -> None:
        assert chosen_url(not_given, "eu", None) == "https://eu.api.openai.com/v1"
        assert chosen_url(not_given, "eu", IDENTITY) == "https://eu.identity.test/v1"
        with pytest.raises(ValueError, match="must be one of ae, au, eu, global, in, jp, us, not 'mars'"):
            chosen_url(not_given, "mars", IDENTITY)
        with pytest.raises(OpenAIError, match="data_residency must be one of eu, global here, not 'us'"):
            chosen_url(not_given, "us", IDENTITY)
        with pytest.raises(ValueError, match="data_residency and base_url exclude each other"):
            chosen_url("http://h", "eu", None)


class TestServicesAndNeighbours:
    """The options that name a service, and their neighbours."""

    def test_a_region_and_a_websocket_url(self) -> None:
        with pytest.raises(ValueError, match="data_residency and websocket_base_url exclude each other"):
            OpenAI(api_key="k", data_residency="eu", websocket_base_url="wss://h")

    @pytest.mark.parametrize("name", ["api_key", "admin_api_key", "base_url", "data_residency"])
    def test_a_provider_brings_its_own(self, name: str) -> None:
        with pytest.raises(OpenAIError, match=f"leave out {name}"):
            OpenAI(provider=bedrock(region="us-east-1", api_key="k"), **{name: "eu"})  # type: ignore[arg-type]

    def test_the_environment_does_not_name_a_providers_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example")
        monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
        client = OpenAI(provider=bedrock(region="us-east-1", api_key="k"))
        assert client.base_url == "https://bedrock-mantle.us-east-1.api.aws/openai/v1/"
        assert client.api_key == ""

    def test_a_key_beside_an_identity(self) -> None:
        identity: Any = {"client_id": "c", "identity_provider_id": "i", "service_account_id": "s"}
        with pytest.raises(OpenAIError, match="api_key and workload_identity exclude each other"):
            OpenAI(api_key="k", workload_identity=identity)

    def test_a_base_url_of_x509_identities(self) -> None:
        class Certificates(Service):
            is_cloud = False
            needs_https = True
            regions = {"global": "https://mtls.api.example/v1"}  # noqa: RUF012 - one test

            def provider(self, configuration: Any, wiring: Any) -> Any:
                raise AssertionError("no client is made")

        service = Certificates()
        with pytest.raises(OpenAIError, match="must be an https URL"):
            chosen_url("http://h", None, service)
        assert chosen_url(" HTTPS://h", None, service) == " HTTPS://h"
        assert chosen_url(not_given, None, service) == "https://mtls.api.example/v1"
        assert chosen_url(not_given, "global", service) == "https://mtls.api.example/v1"
        with pytest.raises(OpenAIError, match="must be one of global here, not 'eu'"):
            chosen_url(not_given, "eu", service)

    def test_copies_move_between_kinds_of_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "of the environment")

        class Own(Service):
            is_cloud = False
            regions = {"global": "https://own.example/v1"}  # noqa: RUF012 - one test

            def provider(self, configuration: Any, wiring: Any) -> Any:
                return OpenAIProvider(configuration)

        own: Any = Own()
        plain = OpenAI(api_key="k")
        moved = plain.copy(workload_identity=own)
        # The default URL moves with the credentials; one that the program has chosen stays.
        assert (moved.base_url, moved.api_key) == ("https://own.example/v1/", "")
        assert OpenAI(api_key="k", base_url="https://h/v1").copy(workload_identity=own).base_url == "https://h/v1/"
        back = moved.copy(api_key="k2")
        assert (back.base_url, back.api_key) == ("https://api.openai.com/v1/", "k2")
        assert moved.copy(max_retries=3).base_url == "https://own.example/v1/"
        assert plain.copy(max_retries=3).api_key == "k"
        assert plain.copy(base_url="https://other/v1").base_url == "https://other/v1/"
