package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func (inv *invocation) ledger() *cobra.Command {
	return group("ledger", "Check the record of everything that happened", `Ledger checks the record in the state directory itself: no server needs to run and
none is trusted.`, "  fairlead ledger verify\n  fairlead ledger replay --output json",
		inv.ledgerVerify(), inv.ledgerReplay(), inv.ledgerProve(), inv.ledgerCheck())
}

func (inv *invocation) ledgerVerify() *cobra.Command {
	var key string
	var checkpoints []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the tree, its checkpoints and the state",
		Long: `Verify checks that no entry of the ledger was changed, removed or inserted: the
Merkle tree, the signed checkpoints, and that the entries rebuild exactly the
state that is stored. It fails with the first difference.

Who can write the state directory could put back an older one, whole, or write
another with its key. Both show against a checkpoint that was kept elsewhere: save
one from the console or from GET /v1/ledger/checkpoint, and give it here later.`,
		Example: "  fairlead ledger verify\n  fairlead ledger verify --checkpoint checkpoint.txt --key ledger.vkey\n  fairlead ledger verify --state /var/lib/fairlead --output json",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return inv.verifyLedger(cmd.Context(), key, checkpoints) },
	}
	cmd.Flags().StringVar(&key, "key", "", "`file` with the ledger's verifier key, from a place that you trust (default the state directory's)")
	cmd.Flags().StringArrayVar(&checkpoints, "checkpoint", nil, "`file` with a checkpoint that was kept elsewhere; may be given several times")
	return cmd
}

func (inv *invocation) verifyLedger(ctx context.Context, key string, checkpoints []string) error {
	const op = "ledger verify"
	dir, err := inv.localOnly(op)
	if err != nil {
		return err
	}
	o := VerifyOptions{State: dir}
	if key != "" {
		text, err := readSmall(key)
		if err != nil {
			return during(op, err)
		}
		o.Key = strings.TrimSpace(string(text))
	}
	for _, file := range checkpoints {
		note, err := readSmall(file)
		if err != nil {
			return during(op, err)
		}
		o.Checkpoints = append(o.Checkpoints, note)
	}
	v, err := inv.wiring.Verify(ctx, o)
	if err != nil {
		return during(op, err)
	}
	err = inv.show(v, func(w io.Writer) error {
		if !v.Verified {
			_, err := fmt.Fprintf(w, "NOT verified:\n  %s\n", strings.Join(v.Problems, "\n  "))
			return err
		}
		_, err := fmt.Fprintf(w, "verified: %d entries, %d checkpoints, %d inputs of decisions, %d rows of state rebuilt and equal\nledger %s\n",
			v.Entries, v.Checkpoints, v.Facts, v.Rows, v.Ledger)
		return err
	})
	if err == nil && !v.Verified {
		return exitError(ExitFailed)
	}
	return err
}

func (inv *invocation) ledgerReplay() *cobra.Command {
	return &cobra.Command{
		Use:   "replay",
		Short: "Recompute every decision and compare",
		Long: `Replay recomputes every decision of every rollout from its recorded inputs and
compares it with what was recorded. It fails with the first difference.`,
		Example: "  fairlead ledger replay",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := inv.localOnly("ledger replay")
			if err != nil {
				return err
			}
			r, err := inv.wiring.Replay(cmd.Context(), dir)
			if err != nil {
				return during("ledger replay", err)
			}
			err = inv.show(r, func(w io.Writer) error {
				if !r.Replayed {
					_, err := fmt.Fprintf(w, "a decision does NOT come out the same: %s\n%s\n", r.Difference,
						"  hint: replay with the program that decided; another version may decide otherwise, and \"fairlead ledger verify\" tells whether the record is whole")
					return err
				}
				_, err := fmt.Fprintf(w, "replayed: %d decisions of %d rollouts, all the same\n", r.Decisions, r.Rollouts)
				return err
			})
			if err == nil && !r.Replayed {
				return exitError(ExitFailed)
			}
			return err
		},
	}
}
