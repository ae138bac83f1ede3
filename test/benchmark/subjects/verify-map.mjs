// What nobody who remembers by the whole token can do without: one lookup in a Map.
export async function open() {
  const known = new Map();
  return {
    verify: (token) => {
      if (!known.has(token)) known.set(token, true);
    },
  };
}
