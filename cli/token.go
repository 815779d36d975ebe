package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

func (inv *invocation) token() *cobra.Command {
	return group("token", "Tokens for programs that report", `Token makes the tokens that programs call the API by, such as a grader that reports
quality. A token of the role reporter may report values of requests (POST /v1/signals)
and do nothing else, not even read. One of the role viewer may read everything and
change nothing, as a Prometheus or a log shipper does. Only an administrator makes and revokes tokens;
the ledger has both.`,
		"  fairlead token create grader > grader.token\n  fairlead token list\n  fairlead token revoke grader",
		inv.tokenCreate(), inv.tokenList(), inv.tokenRevoke())
}

func (inv *invocation) tokenCreate() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a token and print it, once",
		Long: `Create makes a token for a program and prints it on standard output. Fairlead keeps
only its digest, so that nothing shows it again. NAME names the program.`,
		Example: "  fairlead token create grader > grader.token",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			made, err := c.CreateToken(cmd.Context(), client.NewToken{Name: args[0], Role: fairlead.Role(role)})
			if err != nil {
				return during("token create "+args[0], err)
			}
			inv.note("%s has the role %s; the token is not shown again", made.Name, made.Role)
			return inv.show(made, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, made.Text)
				return err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&role, "role", string(fairlead.Reporter), "what it may do: `role` reporter or viewer")
	return cmd
}

func (inv *invocation) tokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "The tokens' names and roles, never the tokens",
		Long:    "List shows which tokens there are, what each may do, and who made it.",
		Example: "  fairlead token list",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			tokens, err := c.Tokens(cmd.Context())
			if err != nil {
				return during("token list", err)
			}
			return inv.show(append([]client.Token{}, tokens...), func(w io.Writer) error {
				if len(tokens) == 0 {
					_, err := fmt.Fprintln(w, "no token was made: fairlead token create NAME")
					return err
				}
				rows := [][]string{{"NAME", "ROLE", "CREATED", "BY"}}
				for _, t := range tokens {
					rows = append(rows, []string{t.Name, string(t.Role), t.Created.Local().Format(time.DateTime), t.By})
				}
				return table(w, rows)
			})
		},
	}
}

func (inv *invocation) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Short: "Make a token worthless",
		Long:    "Revoke makes a token worthless at once. What was reported with it stays.",
		Example: "  fairlead token revoke grader",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			if err := c.RevokeToken(cmd.Context(), args[0]); err != nil {
				return during("token revoke "+args[0], err)
			}
			return inv.show(map[string]string{"name": args[0], "revoked": "yes"}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is revoked\n", args[0])
				return err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}
