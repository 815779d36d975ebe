package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

const maxSecret = 1 << 20 // bytes

func (inv *invocation) secret() *cobra.Command {
	return group("secret", "Secrets of an environment", `Secret keeps the secrets of an environment, encrypted and versioned. An app names
those that it needs; its instances get them as files that they alone can read. A
release names versions, so that a rollback brings the old ones back.`,
		"  fairlead secret set api-key --env production < key.txt\n  fairlead secret list --env production",
		inv.secretSet(), inv.secretRotate(), inv.secretList(), inv.secretRemove())
}

func (inv *invocation) secretSet() *cobra.Command {
	return inv.secretWrite("set", "Store a secret", `Set stores a new version of a secret. The value comes from standard input or a
file, never from an argument, which other users of the machine could read. One
newline at the end of standard input is left out; a file is taken as it is.

Instances go on with the version that their release names. The next release takes
the newest.`, "  fairlead secret set api-key --env production < key.txt\n  fairlead secret set tls-key --env production --file tls.key", false)
}

func (inv *invocation) secretRotate() *cobra.Command {
	return inv.secretWrite("rotate", "Store a new version of an existing secret", `Rotate stores a new version of a secret that exists already; for one that does not
it fails, which catches a misspelt name. The value comes as with set.`,
		"  fairlead secret rotate api-key --env production < new-key.txt", true)
}

func (inv *invocation) secretWrite(name, short, long, example string, rotate bool) *cobra.Command {
	var env, file string
	cmd := &cobra.Command{
		Use: name + " NAME --env ENV", Short: short, Long: long, Example: example, Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if env == "" {
				return usage(errNoEnv)
			}
			c, err := inv.client()
			if err != nil {
				return err
			}
			value, err := inv.readSecret(file)
			if err != nil {
				return during("secret "+name+" "+args[0], err)
			}
			s, err := c.SetSecret(cmd.Context(), env, args[0], client.SecretValue{Value: value, Rotate: rotate})
			clear(value)
			if err != nil {
				return during("secret "+name+" "+args[0], err)
			}
			return inv.show(s, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s in %s has version %d\n", s.Name, s.Env, s.Version)
				return err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` that the secret belongs to")
	cmd.Flags().StringVar(&file, "file", "", "`file` with the value instead of standard input")
	return cmd
}

// readSecret reads a value from a file, a pipe, or unseen from a terminal.
func (inv *invocation) readSecret(file string) ([]byte, error) {
	var value []byte
	var err error
	switch in, ok := inv.std.In.(*os.File); {
	case file != "":
		value, err = readFile(file, maxSecret)
	case ok && term.IsTerminal(int(in.Fd())):
		fmt.Fprint(inv.std.Err, "value (not shown): ")
		value, err = term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(inv.std.Err)
	default:
		value, err = io.ReadAll(io.LimitReader(inv.std.In, maxSecret+1))
		value = bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r"))
	}
	switch {
	case err != nil:
		return nil, err
	case len(value) == 0:
		return nil, fairlead.Errorf(fairlead.Invalid, "", "the value is empty").WithHint("give it on standard input or with --file")
	case len(value) > maxSecret:
		return nil, fairlead.Errorf(fairlead.Invalid, "", "the value has more than %d bytes", maxSecret).
			WithHint("a secret is a key or a password; put large data into the artifact")
	}
	return value, nil
}

func (inv *invocation) secretList() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "list --env ENV", Short: "Names and versions, never values",
		Long:    "List shows the names and versions of an environment's secrets. Nothing shows a value.",
		Example: "  fairlead secret list --env production",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env == "" {
				return usage(errNoEnv)
			}
			secrets, err := inv.listSecrets(cmd.Context(), env)
			if err != nil {
				return during("secret list", err)
			}
			return inv.show(secrets, func(w io.Writer) error {
				rows := [][]string{{"NAME", "VERSION", "CREATED"}}
				for _, s := range secrets {
					rows = append(rows, []string{s.Name, fmt.Sprint(s.Version), s.Created.Local().Format(time.DateTime)})
				}
				return table(w, rows)
			})
		},
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` that the secrets belong to")
	return cmd
}

func (inv *invocation) listSecrets(ctx context.Context, env string) ([]client.Secret, error) {
	c, err := inv.client()
	if err != nil {
		return nil, err
	}
	secrets, err := c.Secrets(ctx, env)
	return append([]client.Secret{}, secrets...), err
}

func (inv *invocation) secretRemove() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "rm NAME --env ENV", Short: "Destroy all versions of a secret",
		Long: `Rm destroys all versions of a secret. A release that names one of them cannot start
instances any more, also not by a rollback.`,
		Example: "  fairlead secret rm api-key --env staging",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if env == "" {
				return usage(errNoEnv)
			}
			c, err := inv.client()
			if err != nil {
				return err
			}
			if err := c.RemoveSecret(cmd.Context(), env, args[0]); err != nil {
				return during("secret rm "+args[0], err)
			}
			removed := map[string]string{"env": env, "name": args[0], "removed": "all versions"}
			return inv.show(removed, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s in %s is destroyed\n", args[0], env)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` that the secret belongs to")
	return cmd
}
