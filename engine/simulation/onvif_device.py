"""The ONVIF side of a simulated steered camera: SOAP requests answered from its moving view."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from engine.simulation.ptz_view import MovingView

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_TT = "http://www.onvif.org/ver10/schema"
_SPACES = {
    "device": "http://www.onvif.org/ver10/device/wsdl",
    "media": "http://www.onvif.org/ver10/media/wsdl",
    "ptz": "http://www.onvif.org/ver20/ptz/wsdl",
}
_WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
_WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
PROFILE = "main"


@dataclass
class OnvifDevice:
    """Answers the operations a steering client needs: services, profiles, ContinuousMove, Stop,
    AbsoluteMove, presets, snapshot address. Log-in is WS-UsernameToken with a digest."""

    view: MovingView
    username: str = ""
    password: str = field(default="", repr=False)
    operations: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def answer(self, body: bytes, base: str) -> tuple[int, bytes]:
        """Status and SOAP envelope for a request."""
        try:
            envelope = ElementTree.fromstring(body)
        except ElementTree.ParseError:
            return 400, _fault("ter:WellFormed", "not well formed")
        content = envelope.find(f"{{{_SOAP}}}Body")
        if content is None or not len(content):
            return 400, _fault("ter:InvalidArgs", "no body")
        request = content[0]
        space, _, name = request.tag.lstrip("{").partition("}")
        if not self._logged_in(envelope) and name != "GetSystemDateAndTime":
            return 400, _fault("ter:NotAuthorized", "Sender not Authorized")
        self.operations.append(name)
        method = getattr(self, f"_on_{_snake(name)}", None)
        if method is None:
            return 500, _fault("ter:ActionNotSupported", "Optional Action Not Implemented")
        inner = method(request, base)
        if inner is None:
            return 500, _fault("ter:InvalidArgVal", "Argument Value Invalid")
        return 200, _envelope(f'<r:{name}Response xmlns:r="{space}">{inner}</r:{name}Response>')

    # --- operations -------------------------------------------------------------------------------

    def _on_get_services(self, _request: ElementTree.Element, base: str) -> str:
        return "".join(
            f"<r:Service><r:Namespace>{space}</r:Namespace>"
            f"<r:XAddr>{base}/onvif/{name}_service</r:XAddr>"
            f"<r:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></r:Version></r:Service>"
            for name, space in _SPACES.items()
        )

    def _on_get_profiles(self, _request: ElementTree.Element, _base: str) -> str:
        generic = "http://www.onvif.org/ver10/tptz/PanTiltSpaces/VelocityGenericSpace"
        return (
            '<r:Profiles token="fixed" fixed="true"><tt:Name>fixed</tt:Name></r:Profiles>'
            f'<r:Profiles token="{PROFILE}" fixed="true"><tt:Name>main</tt:Name>'
            '<tt:PTZConfiguration token="ptz"><tt:Name>ptz</tt:Name><tt:UseCount>1</tt:UseCount>'
            "<tt:NodeToken>node</tt:NodeToken>"
            f"<tt:DefaultContinuousPanTiltVelocitySpace>{generic}"
            "</tt:DefaultContinuousPanTiltVelocitySpace></tt:PTZConfiguration></r:Profiles>"
        )

    def _on_get_snapshot_uri(self, _request: ElementTree.Element, base: str) -> str:
        return (
            f"<r:MediaUri><tt:Uri>{base}/onvif/snapshot.jpg</tt:Uri>"
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
            "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>"
            "<tt:Timeout>PT0S</tt:Timeout></r:MediaUri>"
        )

    def _on_continuous_move(self, request: ElementTree.Element, _base: str) -> str | None:
        if not self._steered(request):
            return None
        pan, tilt = _vector(request, "PanTilt")
        zoom, _ = _vector(request, "Zoom")
        self.view.drive(pan, tilt, zoom)
        return ""

    def _on_stop(self, request: ElementTree.Element, _base: str) -> str | None:
        if not self._steered(request):
            return None
        self.view.drive(0.0, 0.0, 0.0)
        return ""

    def _on_absolute_move(self, request: ElementTree.Element, _base: str) -> str | None:
        if not self._steered(request):
            return None
        pan, tilt = _vector(request, "PanTilt")
        zoom, _ = _vector(request, "Zoom")
        self.view.go(self.view.at(pan, tilt, zoom))
        return ""

    def _on_get_presets(self, _request: ElementTree.Element, _base: str) -> str:
        return "".join(
            f'<r:Preset token="P{number}"><tt:Name>{escape(self.names.get(number, ""))}</tt:Name>'
            "</r:Preset>"
            for number in sorted(self.view.presets)
        )

    def _on_set_preset(self, request: ElementTree.Element, _base: str) -> str:
        known = _text(request, "PresetToken")
        number = int(known[1:]) if known else max(self.view.presets, default=0) + 1
        self.view.store(number)
        self.names[number] = _text(request, "PresetName")
        return f"<r:PresetToken>P{number}</r:PresetToken>"

    def _on_goto_preset(self, request: ElementTree.Element, _base: str) -> str | None:
        token = _text(request, "PresetToken")
        known = re.fullmatch(r"P\d+", token) and self.view.go_to(int(token[1:]))
        return "" if known else None

    # --- inside -----------------------------------------------------------------------------------

    def _steered(self, request: ElementTree.Element) -> bool:
        return _text(request, "ProfileToken") == PROFILE

    def _logged_in(self, envelope: ElementTree.Element) -> bool:
        if not self.username:
            return True
        token = envelope.find(f".//{_WSSE}UsernameToken")
        if token is None or token.findtext(f"{_WSSE}Username") != self.username:
            return False
        nonce = base64.b64decode(token.findtext(f"{_WSSE}Nonce") or "")
        created = (token.findtext(f"{_WSU}Created") or "").encode()
        # The digest that the WS-Security UsernameToken profile prescribes.
        digest = hashlib.sha1(nonce + created + self.password.encode()).digest()
        return token.findtext(f"{_WSSE}Password") == base64.b64encode(digest).decode()


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _named(request: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((e for e in request.iter() if e.tag.rpartition("}")[2] == name), None)


def _text(request: ElementTree.Element, name: str) -> str:
    found = _named(request, name)
    return "" if found is None else (found.text or "")


def _vector(request: ElementTree.Element, name: str) -> tuple[float, float]:
    found = _named(request, name)
    if found is None:
        return 0.0, 0.0
    return float(found.get("x", "0")), float(found.get("y", "0"))


def _envelope(inner: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}" '
        f'xmlns:tt="{_TT}" xmlns:ter="http://www.onvif.org/ver10/error">'
        f"<s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


def _fault(code: str, reason: str) -> bytes:
    return _envelope(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value>"
        f"<s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    )
