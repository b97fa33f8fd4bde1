"""The forms of names and paths, at their bounds: that objects are held to them, the behaviour tests show."""

import pytest

from lab.objects.validation import fields

FORMS = {
    fields.DNS_LABEL: (["a", "1", "a-1", "a" * 63], ["", "A", "a.b", "-a", "a-", "a" * 64, "a\n"]),
    fields.DNS_1035_LABEL: (["a", "a-1"], ["1a", "a.b", "a" * 64]),
    fields.DNS_SUBDOMAIN: (["a", "1.b-c", "kube-root-ca.crt", "a" * 253], ["a..b", ".a", "a_b", "a/b", "a" * 254]),
    fields.PATH_SEGMENT: (["system:node", "A.b"], ["", ".", "..", "a/b", "a%b"]),
    fields.LABEL_VALUE: (["", "A_1.b", "a" * 63], ["a b", "_a", "a" * 64]),
    fields.QUALIFIED_NAME: (
        ["a", "A_b.c", "app.kubernetes.io/name", "a/" + "b" * 63, "a" * 253 + "/b"],
        ["", "/a", "a/", "a b", "A/b", "a/b/c", "b" * 64, "a/" + "b" * 64, "a" * 254 + "/b"],
    ),
    fields.CONFIG_KEY: (["a", ".a", "A_b-c.d", "a..b"], ["", ".", "..", "..data", "../x", "a/b"]),
    fields.ENV_NAME: (["A", "a.b-c", "1 2"], ["", "a=b", "ä", "\t"]),
    fields.PORT_NAME: (["grpc", "p-1", "a" * 15], ["", "80", "-a", "a-", "a--b", "A", "a" * 16]),
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.say)
def test_names_have_the_form_that_they_must(form: fields.Form) -> None:
    good, bad = FORMS[form]
    rule = fields.formed(form)
    assert [value for value in good if rule("name", value)] == []
    assert [value for value in bad if not rule("name", value)] == []


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..", "/etc", "/../etc"])
def test_a_path_that_leaves_its_volume_is_refused(path: str) -> None:
    assert fields.sub_path("path", path)
    assert fields.file_path("path", path)


@pytest.mark.parametrize(("path", "file"), [("..x/a..", False), ("..data/x", False), ("./a//b", True), ("a/..b", True)])
def test_a_path_with_dots_stays_in_its_volume_but_no_file_takes_a_name_of_the_kubelets(path: str, file: bool) -> None:
    assert fields.sub_path("path", path) == []
    assert bool(fields.file_path("path", path)) is not file
