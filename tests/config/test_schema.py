from maxpool.config import schema


def test_the_keys_of_a_table_are_those_of_the_file():
    assert "version" in schema.known_keys(())
    assert "drain" in schema.known_keys(("server",))
    assert "secret" in schema.known_keys(("accounts", 0))
    assert schema.known_keys(("accounts", 0, "models")) == []
    assert schema.known_keys(("nothing",)) == []


def test_a_key_is_found_in_the_section_it_belongs_to():
    assert schema.sections_with("heartbeat") == ["queue"]
    assert schema.sections_with("nothing") == []


def test_a_key_with_few_named_values_tells_them():
    assert schema.choices(("logging", "level")) == ["debug", "info", "warning", "error"]
    assert schema.choices(("accounts", 0, "kind")) == [
        *("api_key", "subscription", "oauth", "home", "provider")
    ]
    assert schema.choices(("server", "port")) == []
    assert schema.choices(("oauth", "mine", "redirect")) == ["loopback", "paste"]
    assert schema.choices(("nothing", "at", "all")) == []
