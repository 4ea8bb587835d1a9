// How many members follow each one: directly, and directly or through others. `followings` are pairs of positions one after
// the other (follower, followee).

export function followersOf(count, followings) {
  const followers = new Uint32Array(count);
  for (let i = 1; i < followings.length; i += 2) followers[followings[i]] += 1;
  return followers;
}

export function reachOf(count, followings) {
  return Uint32Array.from(behindEach(count, followings), (bits, i) => {
    bits[i >> 5] &= ~(1 << (i & 31)); // somebody in a loop does not follow themselves
    return bits.reduce((sum, word) => sum + bitsIn(word), 0);
  });
}

// A set of bits for each member, passed on until nothing changes.
function behindEach(count, followings) {
  const behind = Array.from({ length: count }, () => new Uint32Array((count + 31) >> 5));
  for (let i = 0; i < followings.length; i += 2) add(behind[followings[i + 1]], followings[i]);
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    for (let i = 0; i < followings.length; i += 2) {
      hasChanged = pour(behind[followings[i]], behind[followings[i + 1]]) || hasChanged;
    }
  }
  return behind;
}

function add(bits, number) {
  bits[number >> 5] |= 1 << (number & 31);
}

// Adds the bits of one set to another; says whether there were any new ones.
function pour(from, to) {
  let hasChanged = false;
  for (let w = 0; w < to.length; w += 1) {
    if (from[w] & ~to[w]) {
      to[w] |= from[w];
      hasChanged = true;
    }
  }
  return hasChanged;
}

function bitsIn(word) {
  let number = 0;
  for (let rest = word; rest; rest &= rest - 1) number += 1;
  return number;
}
