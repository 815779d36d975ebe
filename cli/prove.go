package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
)

func (inv *invocation) ledgerProve() *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:   "prove ENTRY",
		Short: "Print the proof that an entry stands in the ledger",
		Long: `Prove prints as JSON the proof that the entry of a position stands in the ledger of
the newest checkpoint: its commitment, the path of hashes to the root, and the
signed checkpoint. That tells nothing of the entry, so that it can be shown to
anyone. With --open it also has the entry as it is kept, with its salt, so that
who checks it sees what was recorded; personal texts in it stay sealed.`,
		Example: "  fairlead ledger prove 57 > entry-57.json\n  fairlead ledger prove 57 --open",
		Args:    exactly("ENTRY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inv.proveEntry(cmd.Context(), args[0], open)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&open, "open", false, "with the entry and its salt")
	return cmd
}

func (inv *invocation) proveEntry(ctx context.Context, arg string, open bool) error {
	op := "ledger prove " + arg
	seq, err := strconv.ParseUint(arg, 10, 62)
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "%q is not a position in the ledger", arg).WithHint("positions count from 0; see them with: fairlead events")
	}
	dir, err := inv.localOnly("ledger prove")
	if err != nil {
		return err
	}
	proof, err := inv.wiring.Prove(ctx, dir, seq)
	if err != nil {
		return during(op, err)
	}
	if !open {
		proof.Salt, proof.Body = nil, ""
	}
	data, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the proof: %w", err)
	}
	_, err = fmt.Fprintf(inv.std.Out, "%s\n", data)
	return err
}

func (inv *invocation) ledgerCheck() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check the proof of one entry, without a server or a state directory",
		Long: `Check follows the path of a proof from the entry's commitment to the root that the
ledger's key has signed. FILE comes from "fairlead ledger prove", the console or
GET /v1/ledger/entries/N. Take the key from a place that you trust, not from who
gave you the proof. Where the file has the entry opened, that it is the one
committed to is checked too.`,
		Example: "  fairlead ledger check entry-57.json --key ledger.vkey",
		Args:    exactly("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return inv.checkProof(args[0], key) },
	}
	cmd.Flags().StringVar(&key, "key", "", "`file` with the ledger's verifier key, from a place that you trust")
	return cmd
}

func (inv *invocation) checkProof(file, keyFile string) error {
	op := "ledger check " + file
	if keyFile == "" {
		return fairlead.Errorf(fairlead.Invalid, op, "no key is given").
			WithHint("name the file of the ledger's verifier key with --key: ledger.vkey in the state directory, or your own copy of it")
	}
	key, err := readSmall(keyFile)
	if err != nil {
		return during(op, err)
	}
	data, err := readSmall(file)
	if err != nil {
		return during(op, err)
	}
	var p Proof
	if err := json.Unmarshal(data, &p); err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "it is no proof: %w", err).WithHint("make one with: fairlead ledger prove ENTRY")
	}
	checked := p.Check(string(key))
	err = inv.show(checked, func(w io.Writer) error { return checked.write(w) })
	if err == nil && !checked.Holds {
		return exitError(ExitFailed)
	}
	return err
}

// mostRead bounds what is read of a file: a proof holds at most an entry's body, escaped.
const mostRead = 64 << 20

// readSmall reads a file that somebody gave.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRead+1))
	if err == nil && len(data) > mostRead {
		err = fmt.Errorf("%s is larger than %d bytes", name, mostRead)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%w", err)
	}
	return data, nil
}
