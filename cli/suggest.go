package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead"
)

// flagError adds what the user may have meant to an error about a flag.
func flagError(cmd *cobra.Command, err error) error {
	hint := "see: " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		flag := invalid.GetFlag()
		err = fmt.Errorf("--%s %q is not %s", flag.Name, invalid.GetValue(), kindOf(flag.Value.Type()))
	}
	if errors.As(err, &unknown) {
		var names []string
		collect := func(f *pflag.Flag) { names = append(names, f.Name) }
		cmd.Flags().VisitAll(collect)
		cmd.InheritedFlags().VisitAll(collect)
		if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
			hint = "did you mean: --" + near
		}
	}
	return usage(&fairlead.Error{Code: fairlead.Invalid, Op: cmd.Name(), Err: err, Hint: hint})
}

// kindOf says what a flag of a type wants.
func kindOf(kind string) string {
	switch kind {
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number from 0 on"
	case "bool":
		return "true or false"
	}
	return "of its kind, " + kind
}

// exactly demands names for the arguments of a command, such as "APP".
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		why := fmt.Errorf("takes %s, not %d arguments", strings.Join(names, " "), len(args))
		switch {
		case len(names) == 0:
			why = fmt.Errorf("takes no arguments, and found %q", args[0])
		case len(args) == 0:
			why = fmt.Errorf("needs %s", strings.Join(names, " "))
		}
		return usage((&fairlead.Error{Code: fairlead.Invalid, Op: cmd.Name(), Err: why}).WithHint("see: %s --help", cmd.CommandPath()))
	}
}

// atMostOne allows one argument with a name.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return exactly("["+name+"]")(cmd, args)
	}
}

// nearest returns the name that word is a slip of, or "".
func nearest(word string, names []string) string {
	most := 1 // slips that are still likely
	if len(word) >= 4 {
		most = max(2, len(word)/3)
	}
	best, bestDistance := "", most+1
	for _, name := range names {
		if d := distance(word, name); d < bestDistance || len(word) >= 3 && strings.HasPrefix(name, word) && best == "" {
			best, bestDistance = name, min(d, bestDistance)
		}
	}
	return best
}

// distance is the Levenshtein distance: the fewest single-byte insertions,
// deletions and replacements that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
