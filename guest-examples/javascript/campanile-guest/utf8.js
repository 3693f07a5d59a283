// Text as bytes and back, in UTF-8: the interpreter in a component has no TextEncoder.

/** The bytes of a text. */
export function utf8Bytes(text) {
  const escaped = encodeURIComponent(text.toWellFormed());
  const bytes = [];
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] !== "%") {
      bytes.push(escaped.charCodeAt(i));
      continue;
    }
    bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16));
    i += 2;
  }
  return Uint8Array.from(bytes);
}

/** The text that bytes stand for; throws a URIError if they are not UTF-8. */
export function utf8Text(bytes) {
  let escaped = "";
  for (const byte of bytes) {
    const stands = byte < 0x80 && byte !== 0x25;
    escaped += stands ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return decodeURIComponent(escaped);
}
