package device

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// smiFields are what nvidia-smi is asked of all GPUs at once, and smiFewer what a
// driver is asked that does not know all of them (MIG came with R450).
const (
	smiFields = smiFewer + ",mig.mode.current,ecc.errors.uncorrected.volatile.total"
	smiFewer  = "index,uuid,pci.bus_id,name,memory.total,memory.used,utilization.gpu"
)

// smi is one GPU as nvidia-smi tells of it.
type smi struct {
	index       int // -1 for not known
	uuid, name  string
	total, used int64 // bytes, -1 for not known
	busy        float64
	mig         bool
	errors      int64
	fault       string
}

// askSMI returns the GPUs by PCI address. An error says why nvidia-smi tells nothing;
// what it tells of single GPUs stands in their faults.
func askSMI(ctx context.Context, run Runner) (map[string]smi, error) {
	if run == nil {
		return nil, ErrNoProgram
	}
	out, err := run(ctx, "nvidia-smi", "--query-gpu="+smiFields, "--format=csv,noheader,nounits")
	if err != nil && strings.Contains(string(out), "not a valid field") {
		out, err = run(ctx, "nvidia-smi", "--query-gpu="+smiFewer, "--format=csv,noheader,nounits")
	}
	found := readSMI(out)
	if err == nil && len(found) == 0 {
		err = errNothing
	}
	if err != nil && len(found) == 0 {
		if said := plain(string(out)); said != "" && !errors.Is(err, ErrNoProgram) {
			err = errors.New(said)
		}
		return nil, err
	}
	return found, nil
}

// errNothing is that nvidia-smi succeeds without a word of a GPU on a machine that has
// some: that tells no more than a failure does.
var errNothing = errors.New("it ends well and names no GPU")

var unreachable = regexp.MustCompile(`(?i)unable to determine the device handle for gpu\s*([0-9a-f:.]+): (.*)`)

// readSMI reads what nvidia-smi wrote. A line that is neither of a GPU nor of a GPU
// that cannot be reached tells nothing.
func readSMI(out []byte) map[string]smi {
	found := map[string]smi{}
	for line := range strings.Lines(string(out)) {
		if len(found) == mostDevices {
			break
		}
		if said := unreachable.FindStringSubmatch(line); said != nil {
			if address := smiAddress(said[1]); address != "" {
				found[address] = smi{index: -1, total: -1, used: -1, busy: -1, errors: -1, fault: plain(said[2])}
			}
			continue
		}
		reader := csv.NewReader(strings.NewReader(line))
		reader.TrimLeadingSpace, reader.LazyQuotes = true, true
		fields, err := reader.Read()
		if err != nil && !errors.Is(err, io.EOF) || len(fields) < 7 {
			continue
		}
		if address := smiAddress(fields[2]); address != "" {
			found[address] = readSMIFields(fields)
		}
	}
	return found
}

func readSMIFields(fields []string) smi {
	g := smi{index: -1, name: value(fields[3]), total: mebibytes(fields[4]), used: mebibytes(fields[5]), busy: -1, errors: -1}
	if uuid := value(fields[1]); strings.HasPrefix(uuid, "GPU-") {
		g.uuid = uuid
	}
	if i, err := strconv.Atoi(fields[0]); err == nil && i >= 0 {
		g.index = i
	}
	if busy, err := strconv.ParseFloat(strings.TrimSpace(fields[6]), 64); err == nil && busy >= 0 && busy <= 100 {
		g.busy = busy / 100
	}
	if len(fields) >= 9 {
		g.mig = strings.EqualFold(value(fields[7]), "enabled")
		if n, err := strconv.ParseInt(strings.TrimSpace(fields[8]), 10, 64); err == nil && n >= 0 {
			g.errors = n
		}
	}
	for _, f := range fields {
		if g.fault == "" {
			g.fault = faultIn(f)
		}
	}
	return g
}

// faultIn returns what a value of nvidia-smi says is wrong with the whole GPU. That a
// value is not there, as on a GPU without ECC, says nothing.
func faultIn(field string) string {
	text := strings.Trim(plain(field), "[]")
	for _, bad := range []string{"gpu is lost", "gpu requires reset", "unknown error", "reset required"} {
		if strings.EqualFold(text, bad) {
			return text
		}
	}
	return ""
}

// value is a field's text, "" for one that is not there.
func value(field string) string {
	text := plain(field)
	if strings.HasPrefix(text, "[") || strings.EqualFold(text, "N/A") {
		return ""
	}
	return text
}

// mebibytes reads an amount of MiB as bytes; -1 where it is none.
func mebibytes(field string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(field), 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return -1
	}
	return n << 20
}

// smiAddress writes nvidia-smi's PCI address, such as 00000000:03:00.0, as sysfs does,
// with at least four digits of its domain; "" for what is none.
func smiAddress(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if domain, rest, ok := strings.Cut(s, ":"); ok && len(domain) == 8 {
		s = strings.TrimLeft(domain[:4], "0") + domain[4:] + ":" + rest
	}
	if !pciAddress.MatchString(s) {
		return ""
	}
	return s
}
