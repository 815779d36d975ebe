package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/internal/disk"
)

// output is standard output. It remembers that something could not be written: a
// result that nobody gets is no success, whatever a command makes of it.
type output struct {
	to     io.Writer
	failed error // the first
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && o.failed == nil {
		o.failed = err
	}
	return n, err
}

// lost returns the error of a command whose output was lost, and otherwise err.
// An outcome, which the exit status tells, stays.
func (o *output) lost(err error) error {
	var outcome exitError
	if o.failed == nil || errors.As(err, &outcome) {
		return err
	}
	return fairlead.Errorf(fairlead.Unavailable, "", "the result cannot be written: %w", o.failed).
		WithHint("make room for it and ask again; what the command changed stands: fairlead status")
}

// show writes a command's result: v as JSON, or what text writes.
func (inv *invocation) show(v any, text func(io.Writer) error) error {
	if inv.json() {
		return inv.line(v)
	}
	return text(inv.std.Out)
}

// line writes one JSON value on a line of its own.
func (inv *invocation) line(v any) error {
	enc := json.NewEncoder(inv.std.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows in aligned columns, the first row being their names.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, progress.Clean(cell))
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// note writes a remark for a person to standard error, and nothing with JSON.
func (inv *invocation) note(format string, args ...any) {
	if !inv.json() {
		fmt.Fprintf(inv.std.Err, format+"\n", args...)
	}
}

// failure is a command's error as it is written.
type failure struct {
	Code      fairlead.Code `json:"code"`
	Operation string        `json:"operation"`
	Message   string        `json:"message"` // with the operation before it
	Hint      string        `json:"hint"`
}

// report writes a command's error to standard error. A command that has said
// itself why it ends so is not repeated.
func (inv *invocation) report(err error, asJSON bool) {
	var said exitError
	if err == nil || errors.As(err, &said) {
		return
	}
	f := inv.failure(err)
	if asJSON {
		if f.Operation != "" {
			f.Message = strings.TrimPrefix(f.Message, f.Operation+": ")
		}
		data, _ := json.Marshal(map[string]failure{"error": f})
		fmt.Fprintf(inv.std.Err, "%s\n", data)
		return
	}
	columns := 0
	if terminal := progress.OpenTerminal(inv.std.Err, inv.std.Getenv, false); terminal != nil {
		columns = terminal.Style().Width
	}
	for _, line := range failureLines(f, columns) {
		fmt.Fprintln(inv.std.Err, line)
	}
}

// failureLines are the lines of a failure. Its message is broken between words where it
// has more than columns, unless that is 0; a hint is not, for people copy commands.
func failureLines(f failure, columns int) []string {
	var lines []string
	indent := ""
	for line := range strings.Lines("fairlead: " + f.Message) {
		parts := []string{progress.Clean(strings.TrimSuffix(line, "\n"))}
		if columns > 20 && len(parts[0]) >= columns-len(indent) {
			parts = progress.Wrap(parts[0], columns-3)
		}
		for _, part := range parts {
			lines = append(lines, indent+part)
			indent = "  "
		}
	}
	if f.Hint != "" {
		lines = append(lines, "  hint: "+progress.Clean(f.Hint))
	}
	return lines
}

// failure puts an error in words for who gave the command.
func (inv *invocation) failure(err error) failure {
	f := failure{Code: fairlead.CodeOf(err), Message: err.Error(), Hint: fairlead.HintOf(err)}
	var e *fairlead.Error
	if errors.As(err, &e) {
		f.Operation = e.Op
	}
	switch {
	case errors.Is(err, client.ErrNoServer):
		f.Message, f.Hint = inv.noServer(f.Operation, err)
	case disk.Full(err) && f.Hint == "":
		f.Code, f.Hint = fairlead.Unavailable, disk.FullHint
	case f.Hint == "" && notAsMade(err):
		f.Hint = "something else stands there: look at it with ls -l, move it away, and try again"
	case f.Code == fairlead.Unauthorized && inv.remote() != "":
		f.Hint = "name the token's file with --token-file; it is admin.token in the server's state directory"
	}
	if errors.Is(err, context.Canceled) {
		f.Code, f.Message = "interrupted", "interrupted"
	}
	f.Message = once(f.Operation, f.Message)
	return f
}

// notAsMade reports whether an error comes of a link, a pipe or the like in the place
// of a file or a directory of Fairlead's own.
func notAsMade(err error) bool {
	for _, cause := range []error{fs.ErrExist, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, disk.ErrNotRegular} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// once returns message with the operation before it once: the server may name the
// same one as the command line.
func once(op, message string) string {
	for op != "" && strings.HasPrefix(message, op+": "+op+": ") {
		message = strings.TrimPrefix(message, op+": ")
	}
	return message
}

// noServer says where no server answers, and what to do.
func (inv *invocation) noServer(op string, silence error) (message, hint string) {
	where, err := inv.stateDir()
	where, hint = "for the state directory "+where, "start one with: fairlead up"
	if url := inv.remote(); url != "" || err != nil {
		where, hint = "at "+url, "is the address right, and does it run there?"
	}
	message = client.ErrNoServer.Error() + " " + where
	if errors.Is(silence, context.DeadlineExceeded) {
		message, hint = message+", though one is there", "it hangs or is stopped: look at its log and at its process"
	}
	if errors.Is(silence, fs.ErrPermission) {
		message, hint = message+", which this user may not enter", "run it as the user who owns it, or use --server URL --token-file FILE"
	}
	if op != "" {
		message = op + ": " + message
	}
	return message, hint
}

// during names the operation of an error that does not say it itself. An answer of
// the server gets the name that the user gave it.
func during(op string, err error) error {
	var e *fairlead.Error
	var answer client.Answer
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && error(e) == err && (e.Op == "" || errors.As(e.Err, &answer)):
		return &fairlead.Error{Code: e.Code, Op: op, Err: e.Err, Hint: e.Hint}
	case errors.As(err, &e), errors.Is(err, context.Canceled):
		return err
	}
	return &fairlead.Error{Code: fairlead.Internal, Op: op, Err: err}
}
