// The order of texts that all languages agree on: by character number.

/** A sorted copy. Plain `sort` goes by halves of surrogate pairs, so that an emoji would come before `ａ`. */
export function sorted(texts) {
  return [...texts].sort(byCharacter);
}

function byCharacter(a, b) {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    if (a[i] === b[i]) continue;
    const isPair = [a, b].map((text) => /[\ud800-\udfff]/.test(text[i]));
    if (isPair[0] !== isPair[1]) return isPair[0] ? 1 : -1;
    return a[i] < b[i] ? -1 : 1;
  }
  return a.length - b.length;
}
