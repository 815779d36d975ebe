package console

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// mostInFile is how many entries a file of a filtered list holds.
const mostInFile = 200

// ledgerFile answers with a download: entries.csv and entries.ndjson are a filtered list
// as its page shows it, entry-N.json is an entry with its proof, checkpoint.txt and
// ledger.vkey are the newest checkpoint and what it is checked with.
func (s *console) ledgerFile(w http.ResponseWriter, r *http.Request, session Session) {
	name := r.PathValue("name")
	kind, data, err := s.ledgerData(r, session, name)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	download(w, name, kind, data)
}

// ledgerData returns a file by its name, which is one of few.
func (s *console) ledgerData(r *http.Request, session Session, name string) (kind string, data []byte, err error) {
	ctx, v := r.Context(), s.visit(r, session)
	switch name {
	case "checkpoint.txt":
		signed, err := v.api.Signed(ctx)
		return "text/plain; charset=utf-8", []byte(signed.Checkpoint), err
	case "ledger.vkey":
		signed, err := v.api.Signed(ctx)
		return "text/plain; charset=utf-8", []byte(signed.Key + "\n"), err
	case "entries.csv", "entries.ndjson":
		q, err := recordQuery(v)
		if err != nil {
			return "", nil, err
		}
		q.Limit = mostInFile
		record, err := v.api.Record(ctx, q)
		if err != nil {
			return "", nil, err
		}
		if name == "entries.csv" {
			data, err = entriesCSV(record)
			return "text/csv; charset=utf-8; header=present", data, err
		}
		data, err = entriesNDJSON(record)
		return "application/x-ndjson", data, err
	}
	if seq, ok := entryFile(name); ok {
		proven, err := v.api.Proven(ctx, seq)
		if err != nil {
			return "", nil, err
		}
		data, err = json.MarshalIndent(proven, "", "  ")
		return "application/json", append(data, '\n'), err
	}
	return "", nil, fairlead.Errorf(fairlead.NotFound, "", "the ledger has no file %q", name)
}

// entryFile reads the name of an entry's file, which is the only one that it has.
func entryFile(name string) (seq uint64, ok bool) {
	number, ok := strings.CutPrefix(name, "entry-")
	number, is := strings.CutSuffix(number, ".json")
	seq, err := strconv.ParseUint(number, 10, 62)
	return seq, ok && is && err == nil && name == fmt.Sprintf("entry-%d.json", seq)
}

func entriesCSV(record client.Record) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	errs := []error{w.Write([]string{"position", "time", "kind", "app", "environment", "who", "text"})}
	for _, e := range record.Entries {
		cells := plainCells(strconv.FormatUint(e.Seq, 10), e.Time.UTC().Format(time.RFC3339Nano), e.Kind, e.App, e.Env, e.Principal, e.Text)
		errs = append(errs, w.Write(cells))
	}
	w.Flush()
	return out.Bytes(), errors.Join(append(errs, w.Error())...)
}

func entriesNDJSON(record client.Record) ([]byte, error) {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	for _, e := range record.Entries {
		if err := lines.Encode(e); err != nil {
			return nil, fmt.Errorf("encode entry %d: %w", e.Seq, err)
		}
	}
	return out.Bytes(), nil
}
