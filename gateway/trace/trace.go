// Package trace makes the receipts by which late reports find their request: of a
// grader, or of a user's feedback.
//
// The gateway gives a token to the instance and to the client of each request of a
// rollout, in the header Fairlead-Trace. Whoever reports on the request gives it back
// to the control plane, which opens it. Nobody else can open, make or change one: a
// client does not learn from it which release answered, nor whose unit it counts as.
package trace

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/fairlead/fairlead"
)

// Header carries a token: to the instance with a request, to the client with its
// answer.
const Header = "Fairlead-Trace"

// Trace is what a token says of its request.
type Trace struct {
	Second   int64  // of the cell in which the request arrived, see fairlead.Cell
	Epoch    uint32 // likewise; 0 is of no step: the lease had run out
	Canary   bool   // assigned to the new release
	Mirrored bool   // both releases answer it
	Unit     uint64 // keyed hash of its unit, as in blocks
	Nonce    uint64 // tells requests of a rollout apart; both answers of a mirrored request have the same
}

// Report returns what reporting a value of the request says to the judge.
func (t Trace) Report(signal string, value float64) fairlead.LateReport {
	return fairlead.LateReport{
		Signal: signal, Second: t.Second, Epoch: t.Epoch, Canary: t.Canary, Mirrored: t.Mirrored, Unit: t.Unit, Value: value,
	}
}

// A token is "1", the version, and the base64 (RFC 4648, URL alphabet, no padding) of
//
//	id[8] || tag[16] || ciphertext[29]
//
// The keys are HMAC-SHA256 of labels under the rollout's salt. The tag is HMAC-SHA256
// of id and plaintext, cut to 128 bits, and the ciphertext is AES-128-CTR with the tag
// as its first counter block: a synthetic initialization vector (Rogaway, Shrimpton,
// "A provable-security treatment of the key-wrap problem", 2006), so that no random
// number and no counter must be kept from coming twice.
const (
	version   = "1"
	idSize    = 8
	tagSize   = 16
	plainSize = 8 + 4 + 1 + 8 + 8
	allSize   = idSize + tagSize + plainSize
)

// Size is the length of a token in characters.
const Size = len(version) + (allSize*8+5)/6

const (
	canaryBit = 1 << iota
	mirroredBit
)

var encoding = base64.RawURLEncoding.Strict() // one text for each token

// ID tells under which rollout's key a token was made, and nothing else. It is the
// same in all tokens of a rollout.
type ID [idSize]byte

// Key makes and opens the tokens of one rollout. It is safe for concurrent use.
type Key struct {
	id    ID
	block cipher.Block
	works sync.Pool // of *work
}

// work is the room in which a token is made or opened.
type work struct {
	mac   hash.Hash
	sum   [sha256.Size]byte
	plain [plainSize]byte
	all   [allSize]byte
	text  [Size]byte
}

// NewKey returns the key of the rollout with a salt; see gateway.Split. It keeps
// nothing of salt.
func NewKey(salt []byte) *Key {
	mac := derive(salt, "trace authentication")
	block, err := aes.NewCipher(derive(salt, "trace encryption")[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return &Key{id: IDOf(salt), block: block, works: sync.Pool{New: func() any { return &work{mac: hmac.New(sha256.New, mac)} }}}
}

// IDOf returns the id in the tokens of the rollout with a salt.
func IDOf(salt []byte) ID { return ID(derive(salt, "trace id")[:idSize]) }

// derive returns a key of its own for each label. The zero byte keeps labels apart
// from those of the assignment, which are followed by a client's text.
func derive(salt []byte, label string) []byte {
	h := hmac.New(sha256.New, salt)
	h.Write(append([]byte(label), 0))
	return h.Sum(nil)
}

// ID returns the id in this key's tokens.
func (k *Key) ID() ID { return k.id }

// Seal returns the token of t, of Size characters.
func (k *Key) Seal(t Trace) string {
	w := k.works.Get().(*work)
	defer k.works.Put(w)
	t.encode(&w.plain)
	tag := w.all[idSize : idSize+tagSize]
	copy(w.all[:], k.id[:])
	copy(tag, w.tag(k.id))
	cipher.NewCTR(k.block, tag).XORKeyStream(w.all[idSize+tagSize:], w.plain[:])
	copy(w.text[:], version)
	encoding.Encode(w.text[len(version):], w.all[:])
	return string(w.text[:])
}

// Open returns what the token says. One that this key did not make is code invalid.
func (k *Key) Open(token string) (Trace, error) {
	all, err := decode(token)
	if err != nil {
		return Trace{}, err
	}
	w := k.works.Get().(*work)
	defer k.works.Put(w)
	tag := all[idSize : idSize+tagSize]
	cipher.NewCTR(k.block, tag).XORKeyStream(w.plain[:], all[idSize+tagSize:])
	if ID(all[:idSize]) != k.id || !hmac.Equal(tag, w.tag(k.id)) {
		return Trace{}, invalid("it was not made for this rollout, or was changed")
	}
	return decodePlain(&w.plain)
}

// Open opens a token of the rollout with a salt; see [Key.Open].
func Open(salt []byte, token string) (Trace, error) { return NewKey(salt).Open(token) }

// Of returns which rollout's key made the token, if it is one: only Open tells.
func Of(token string) (ID, error) {
	all, err := decode(token)
	if err != nil {
		return ID{}, err
	}
	return ID(all[:idSize]), nil
}

func decode(token string) ([]byte, error) {
	if len(token) != Size || token[:len(version)] != version {
		return nil, invalid("the trace does not have the form of one")
	}
	all, err := encoding.DecodeString(token[len(version):])
	if err != nil || len(all) != allSize {
		return nil, invalid("the trace does not have the form of one")
	}
	return all, nil
}

// tag returns the tag of id and w's plaintext, until the next call.
func (w *work) tag(id ID) []byte {
	w.mac.Reset()
	copy(w.sum[:], id[:]) // what an interface takes is on the heap: this is there
	w.mac.Write(w.sum[:idSize])
	w.mac.Write(w.plain[:])
	return w.mac.Sum(w.sum[:0])[:tagSize]
}

func (t Trace) encode(plain *[plainSize]byte) {
	binary.BigEndian.PutUint64(plain[0:], uint64(t.Second))
	binary.BigEndian.PutUint32(plain[8:], t.Epoch)
	plain[12] = 0
	if t.Canary {
		plain[12] |= canaryBit
	}
	if t.Mirrored {
		plain[12] |= mirroredBit
	}
	binary.BigEndian.PutUint64(plain[13:], t.Unit)
	binary.BigEndian.PutUint64(plain[21:], t.Nonce)
}

func decodePlain(plain *[plainSize]byte) (Trace, error) {
	flags := plain[12]
	if flags&^(canaryBit|mirroredBit) != 0 {
		return Trace{}, invalid("a newer gateway made it")
	}
	return Trace{
		Second: int64(binary.BigEndian.Uint64(plain[0:])), Epoch: binary.BigEndian.Uint32(plain[8:]),
		Canary: flags&canaryBit != 0, Mirrored: flags&mirroredBit != 0,
		Unit: binary.BigEndian.Uint64(plain[13:]), Nonce: binary.BigEndian.Uint64(plain[21:]),
	}, nil
}

func invalid(why string) error {
	return fairlead.Errorf(fairlead.Invalid, "open trace", "%s", why).
		WithHint("send the value of the header %s of the request or its answer as it came", Header)
}
