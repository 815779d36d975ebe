package classify

// maxFeatures bounds the work on one text.
const maxFeatures = 512

// stemLength is how many letters of a longer word also count as a word of their
// own, so that "cancel", "cancelled" and "cancelling" share a feature.
const stemLength = 5

// FNV-1a, 32 bits (Fowler, Noll, Vo).
const (
	fnvOffset uint32 = 2166136261
	fnvPrime  uint32 = 16777619
)

// appendFeatures appends the features of text to found, up to its capacity, and
// returns it: each word, the stem of each long word, and each pair of
// neighbouring words. It allocates nothing.
func appendFeatures(found []uint16, text string) []uint16 {
	hash, length, previous := fnvOffset, 0, fnvOffset
	for i := 0; i <= len(text); i++ {
		if len(found)+3 > cap(found) {
			break
		}
		letter, ok := byte(0), false
		if i < len(text) {
			letter, ok = wordByte(text[i])
		}
		if ok {
			hash = (hash ^ uint32(letter)) * fnvPrime
			length++
			if length == stemLength {
				found = append(found, bucket(hash))
			}
			continue
		}
		if length == 0 {
			continue // between words
		}
		if length != stemLength {
			found = append(found, bucket(hash^0x5bd1e995))
		}
		found = append(found, bucket(previous*31+hash))
		previous, hash, length = hash, fnvOffset, 0
	}
	return found
}

// wordByte returns b in lower case and whether it is part of a word. Bytes of
// letters beyond ASCII are; apostrophes are, so that "can't" is one word.
func wordByte(b byte) (byte, bool) {
	switch {
	case 'A' <= b && b <= 'Z':
		return b + 'a' - 'A', true
	case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '\'', b >= 0x80:
		return b, true
	}
	return 0, false
}

// bucket folds a hash into the model's range.
func bucket(hash uint32) uint16 {
	hash ^= hash >> 15
	hash *= 0x2c1b3c6d // mixes the low bits, which FNV-1a leaves weak
	hash ^= hash >> 12
	return uint16(hash % buckets)
}
