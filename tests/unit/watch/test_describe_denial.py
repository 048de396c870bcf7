"""Lines of denials: what a container chose is cut, and what a user claims is left out."""

from __future__ import annotations

from seclatch.model.arch import Arch
from seclatch.model.denial_log import MAX_LINE, LoggedContainer, encode_line
from seclatch.model.process import LiveContainer
from seclatch.model.seen_denial import SeenAnswer, SeenDenial, SeenProcess
from seclatch.process.containers.known_container import KnownContainer
from seclatch.watch.describe_denial import DenialDescriber
from seclatch.watch.known_profiles import KnownProfiles
from seclatch.watch.process_contexts import DeniedProcess

ID = "c" * 64


def describe(known: KnownContainer) -> LoggedContainer | None:
    contexts = Contexts(DeniedProcess(known, "u" * 9000, "/" + "e" * 9000))
    line = DenialDescriber(contexts, KnownProfiles()).describe(
        SeenDenial(SeenProcess(1), Arch.X86_64, 1, SeenAnswer.TRAP, 0, 1, 1, 1, "ebpf")
    )
    assert line is not None and len(line.unit) == 256 and len(line.exe) == 4096
    assert len(encode_line(line)) <= MAX_LINE
    return line.container


class Contexts:
    """Returns one context for everything."""

    def __init__(self, context: DeniedProcess) -> None:
        self.context = context

    def find(self, *_: object) -> DeniedProcess:
        return self.context

    def find_stage(self, *_: object) -> str:
        return "program"

    def find_exe(self, *_: object) -> str:
        return self.context.exe


def test_names_that_a_container_chose_are_cut() -> None:
    known = KnownContainer(LiveContainer(ID, *(text * 9000 for text in ("n", "i", "e", "p", "s"))))
    one = describe(known)
    assert one is not None and one.id == ID and one.trusted
    assert {len(text) for text in (one.name, one.image, one.pod, one.namespace)} == {256}


def test_a_claim_of_another_user_has_no_name() -> None:
    known = KnownContainer(
        LiveContainer(ID, "web", "nginx", "cri-o", "p", "default"), trusted=False
    )
    assert describe(known) == LoggedContainer(id=ID, trusted=False)
