package fairlead

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Signal is a per-unit outcome that the gateway sees by itself and the judge
// compares between the arms. What an app or a grader reports is a [SignalSpec].
type Signal uint8

// The signals of a request. A unit counts once per rollout and signal.
const (
	Failures Signal = iota // a 5xx, a timeout, a reset, or an error that the app declared
	SlowP50                // slower than the old release's frozen median
	SlowP90                // slower than its frozen 90th percentile
	SlowP99                // slower than its frozen 99th percentile
	FirstP50               // the first byte came later than the old release's frozen median of that
	FirstP90               // likewise, 90th percentile
	FirstP99               // likewise, 99th percentile
	Signals                // how many there are
)

// String returns the signal's name as people and JSON see it.
func (s Signal) String() string {
	return [...]string{
		"failures", "latency p50", "latency p90", "latency p99", "first byte p50", "first byte p90", "first byte p99",
	}[s]
}

// Class is why a request failed.
type Class uint8

// The failure classes.
const (
	ServerError Class = iota // the instance answered 5xx
	Timeout                  // its deadline passed
	Reset                    // the connection broke before the answer ended
	Declared                 // the app itself said that its answer is an error: Fairlead-Signal: error=1
	Classes                  // how many there are
)

// String returns the class's name.
func (c Class) String() string { return [...]string{"5xx", "timeout", "reset", "declared"}[c] }

// Units is a set of units of assignment, each by its keyed 64-bit hash. In JSON
// it is base64 of the big-endian hashes.
type Units []uint64

// MarshalText writes u as base64.
func (u Units) MarshalText() ([]byte, error) { return wordsToText(u), nil }

// UnmarshalText reads base64 of whole hashes.
func (u *Units) UnmarshalText(text []byte) (err error) {
	*u, err = wordsOf(text, 1)
	return err
}

// Report is a value that was reported of a unit's request.
type Report struct {
	Unit  uint64
	Value float64 // finite
}

// Reports are values of one signal in order of their coming. In JSON it is base64
// of 16 bytes each: the unit, then the IEEE 754 bits of the value, big-endian.
type Reports []Report

// MarshalText writes r as base64.
func (r Reports) MarshalText() ([]byte, error) {
	words := make([]uint64, 0, 2*len(r))
	for _, one := range r {
		words = append(words, one.Unit, math.Float64bits(one.Value))
	}
	return wordsToText(words), nil
}

// UnmarshalText reads base64 of whole reports with finite values.
func (r *Reports) UnmarshalText(text []byte) error {
	words, err := wordsOf(text, 2)
	*r = make(Reports, len(words)/2)
	for i := range *r {
		(*r)[i] = Report{words[2*i], math.Float64frombits(words[2*i+1])}
		if v := (*r)[i].Value; math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("report %d has no finite value", i)
		}
	}
	return err
}

// wordsToText returns base64 of 64-bit words, big-endian.
func wordsToText(words []uint64) []byte {
	raw := make([]byte, 0, 8*len(words))
	for _, w := range words {
		raw = binary.BigEndian.AppendUint64(raw, w)
	}
	return base64.StdEncoding.AppendEncode(nil, raw)
}

// wordsOf reads what wordsToText writes: so many words for each unit or report.
func wordsOf(text []byte, each int) ([]uint64, error) {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(raw)%(8*each) != 0 {
		return nil, fmt.Errorf("%d characters are not base64 of whole units or reports of %d bytes", len(text), 8*each)
	}
	words := make([]uint64, len(raw)/8)
	for i := range words {
		words[i] = binary.BigEndian.Uint64(raw[8*i:])
	}
	return words, nil
}

// LateReport is a report that came after its request's cell: of a grader, or of a
// user's feedback. It says which cell, arm and unit the request belongs to.
type LateReport struct {
	Signal   string  `json:"signal"`
	Second   int64   `json:"second"` // of the request's arrival
	Epoch    uint32  `json:"epoch"`
	Canary   bool    `json:"canary,omitempty"`
	Mirrored bool    `json:"mirrored,omitempty"` // of a request that both releases answered
	Unit     uint64  `json:"unit"`
	Request  uint64  `json:"request,omitempty"` // tells requests of a rollout apart: a request counts once for each signal and arm
	Value    float64 `json:"value"`             // finite
}

// Pair is what both releases made of one mirrored request: the old one's answer
// went to the client, the new one's nowhere.
type Pair struct {
	Unit   uint64  `json:"unit"`
	Stable float64 `json:"stable"`
	Canary float64 `json:"canary"`
}

// LatencyBuckets counts requests by latency. Bucket i holds latencies of up to
// BucketBound(i) milliseconds and more than bucket i-1's bound; the last one has
// no bound.
type LatencyBuckets [64]uint32

// MarshalText writes the buckets that count anything, such as "12:3 15:1".
func (b LatencyBuckets) MarshalText() ([]byte, error) {
	var counts []string
	for i, n := range b {
		if n > 0 {
			counts = append(counts, strconv.Itoa(i)+":"+strconv.FormatUint(uint64(n), 10))
		}
	}
	return []byte(strings.Join(counts, " ")), nil
}

// UnmarshalText reads what MarshalText writes.
func (b *LatencyBuckets) UnmarshalText(text []byte) error {
	*b = LatencyBuckets{}
	for _, field := range strings.Fields(string(text)) {
		bucket, count, _ := strings.Cut(field, ":")
		i, wrong := strconv.ParseUint(bucket, 10, 6)
		n, err := strconv.ParseUint(count, 10, 32)
		if wrong != nil || err != nil {
			return fmt.Errorf("latency buckets: %.40q is no bucket with its count", field)
		}
		b[i] = uint32(n)
	}
	return nil
}

// BucketBound returns the upper bound of bucket i in milliseconds: 0.25 ms, and
// a quarter more for each bucket after it, which reaches about 5 minutes.
func BucketBound(i int) float64 {
	bound := 0.25
	for range i {
		bound *= 1.25
	}
	return bound
}

// Arm is what one release showed in a cell.
type Arm struct {
	Requests uint32          `json:"requests,omitempty"` // that arrived in the cell
	Units    Units           `json:"units,omitempty"`    // distinct units of those requests, each once per cell over all blocks
	Hits     [Signals]Units  `json:"hits"`               // units with an outcome of the signal, each once per cell and signal over all blocks
	Failed   [Classes]uint32 `json:"failed"`             // failed requests by class
	Latency  LatencyBuckets  `json:"latency"`            // of ended requests: to the last byte, for streams to the first
	First    LatencyBuckets  `json:"first"`              // of ended requests: to the first byte
	Ended    uint32          `json:"ended,omitempty"`    // requests that ended or passed their deadline

	// Reports are what answers to its requests reported at once, by the name of the
	// signal: each signal at most once a request, 16 names at most a cell. Requests
	// outside of a rollout report too, as unit 0. ErrorSignal is not among them: it is
	// a hit of Failures and a failure of class Declared.
	Reports map[string]Reports `json:"reports,omitempty"`
}

// Cell is the traffic that arrived in one second of one epoch. Blocks carry what
// is new about a cell: a cell can come in several blocks until it is complete.
//
// A cell waits for its answers until their deadline, and for streams at most half a
// minute. What becomes of them later, maybe hours, a reset or the reports of a trailer,
// comes in a cell of the same second and epoch again, which is complete once more and
// has no new requests and units. Such reports are late ones (see [LateReport]) that
// took the short way: evidence of the same rollout and epoch as those before.
type Cell struct {
	Second   int64  `json:"second"` // Unix time of arrival
	Epoch    uint32 `json:"epoch"`
	Complete bool   `json:"complete,omitempty"` // all its requests ended or passed their deadline
	Stable   Arm    `json:"stable"`             // requests assigned to the old release
	Canary   Arm    `json:"canary"`             // requests assigned to the new one; empty when nothing is rolling out

	Mirrored map[string][]Pair `json:"mirrored,omitempty"` // mirrored requests that ended, by signal; "failures" has 0 and 1
}

// Block is what a gateway saw of a site in about a second: new requests, and
// outcomes of earlier ones. Blocks are kept by the gateway until acknowledged.
type Block struct {
	Gateway string `json:"gateway"`         // boot id: a new one for each start of the gateway
	Seq     uint64 `json:"seq"`             // counts from 1 in each boot and site; a missing number is a gap
	Final   bool   `json:"final,omitempty"` // the gateway stopped in order after this block
	Site    Site   `json:"site"`
	Rollout string `json:"rollout,omitempty"` // id of the rollout that the cells belong to, if any
	At      int64  `json:"at"`                // Unix milliseconds when the block was closed
	Cells   []Cell `json:"cells"`
}
