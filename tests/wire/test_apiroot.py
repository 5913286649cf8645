import pytest

from maxpool.wire.apiroot import api_root, models_url, requests_url


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://api.deepseek.com", "https://api.deepseek.com/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("https://x.example/v1beta/openai", "https://x.example/v1beta/openai"),
        ("https://x.example/v1/chat/completions", "https://x.example/v1"),
    ],
)
def test_a_chat_service_is_called_below_the_root_it_names(base_url, root):
    assert api_root(base_url, "openai-chat") == root
    assert requests_url(base_url, "openai-chat") == f"{root}/chat/completions"
    assert models_url(base_url, "openai-chat") == f"{root}/models"


@pytest.mark.parametrize("base_url", ["https://a.example", "https://a.example/v1"])
def test_an_anthropic_service_has_v1_once(base_url):
    assert requests_url(base_url, "anthropic") == "https://a.example/v1/messages"


@pytest.mark.parametrize(
    "base_url", ["http://[::1]:11434", "http://[::1]:11434/api", "http://[::1]:11434/api/generate"]
)
def test_a_prompt_bridge_is_named_with_or_without_its_path(base_url):
    assert requests_url(base_url, "generate") == "http://[::1]:11434/api/generate"
    assert models_url(base_url, "generate") == "http://[::1]:11434/api/tags"
