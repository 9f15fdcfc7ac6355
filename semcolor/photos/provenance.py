"""That a photo's colour is inferred, said in its XMP, as archives and agencies ask for.

IPTC Photo Metadata Standard, *Digital Source Type*; XMP part 2, *Resource events*. The same photo
and labels give the same bytes: so nothing says when.
"""

import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_MEDIA = "http://ns.adobe.com/xap/1.0/mm/"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_NAMES = {
    "x": "adobe:ns:meta/", "rdf": _RDF, "Iptc4xmpExt": _EXTENSION, "xmpMM": _MEDIA,
    "stEvt": _EVENT,
}  # fmt: skip
_EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>'


class Provenance(NamedTuple):
    """Where colour comes from: program and version, model, the label map's digest, and detail."""

    program: str
    model: str
    labels: str
    detail: int


def with_provenance(xmp: bytes, made: Provenance) -> bytes:
    """An XMP packet, or b"" where there was none, that says so too.

    Raises ValueError: it is no XMP.
    """
    text = xmp.decode("utf-8", "replace") or _EMPTY
    for name, address in (_NAMES | dict(re.findall(r"""xmlns:(\w+)=["']([^"']+)""", text))).items():
        if not re.fullmatch(r"ns\d+", name):  # ElementTree keeps these for itself
            ET.register_namespace(name, address)
    try:
        whole = ET.fromstring(re.sub(r"<\?xpacket.*?\?>", "", text).strip("\ufeff \r\n\t\0"))
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    rdf = whole if whole.tag == f"{{{_RDF}}}RDF" else whole.find(f"{{{_RDF}}}RDF")
    if rdf is None:
        raise ValueError("there is no rdf:RDF in it")
    _say_source_type(rdf)
    _add_event(rdf, made)
    return (_BEGIN + ET.tostring(whole, encoding="unicode") + _END).encode()


def _say_source_type(rdf: ET.Element) -> None:
    tag = f"{{{_EXTENSION}}}DigitalSourceType"
    for description in rdf:
        description.attrib.pop(tag, None)
        for said in description.findall(tag):
            description.remove(said)
    ET.SubElement(_description(rdf), tag).text = _SOURCE_TYPE


def _add_event(rdf: ET.Element, made: Provenance) -> None:
    """To the history that there is, or a new one."""
    tag = f"{{{_MEDIA}}}History"
    history = rdf.find(f"*/{tag}")
    if history is None:
        history = ET.SubElement(_description(rdf), tag)
    events = history.find(f"{{{_RDF}}}Seq")
    if events is None:
        events = ET.SubElement(history, f"{{{_RDF}}}Seq")
    event = ET.SubElement(events, f"{{{_RDF}}}li", {f"{{{_RDF}}}parseType": "Resource"})
    parameters = f"colorized; model {made.model}; labels {made.labels}; detail {made.detail}"
    for name, text in (
        ("action", "edited"), ("softwareAgent", made.program), ("parameters", parameters),
    ):  # fmt: skip
        ET.SubElement(event, f"{{{_EVENT}}}{name}").text = text


def _description(rdf: ET.Element) -> ET.Element:
    """The first, or a new one."""
    tag, about = f"{{{_RDF}}}Description", f"{{{_RDF}}}about"
    found = rdf.find(tag)
    return ET.SubElement(rdf, tag, {about: ""}) if found is None else found
