package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// List returns the versions of an environment's secrets that were not removed, by
// name and version. It tells no values.
func (v *Vault) List(ctx context.Context, env string) ([]Version, error) {
	if !fairlead.ValidName(env) {
		return nil, fairlead.Errorf(fairlead.Invalid, "list secrets", "%.80q cannot name an environment", env)
	}
	all, err := v.versions(ctx, env, "")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(version Version) bool { return !version.Removed.IsZero() }), nil
}

// Versions resolves references of an App file when a release is made: the version
// that each names, or the newest. References that the environment cannot fulfil
// are one error of code not_found that names them all and the command to run; the
// versions of the others are returned beside it.
func (v *Vault) Versions(ctx context.Context, env string, refs []fairlead.SecretRef) (map[string]int, error) {
	found := map[string]int{}
	var missing, commands []string
	for _, ref := range refs {
		if err := checkNames("resolve secrets", env, ref.Name); err != nil {
			return nil, err
		}
		all, err := v.versions(ctx, env, ref.Name)
		if err != nil {
			return nil, err
		}
		version := newest(all)
		if ref.Version > 0 && !slices.ContainsFunc(all, func(have Version) bool { return have.Version == ref.Version && have.Removed.IsZero() }) {
			missing = append(missing, fmt.Sprintf("version %d of %s", ref.Version, ref.Name))
		} else if version == 0 {
			missing = append(missing, ref.Name)
			commands = append(commands, command(env, ref.Name))
		} else if found[ref.Name] = version; ref.Version > 0 {
			found[ref.Name] = ref.Version
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	err := fairlead.Errorf(fairlead.NotFound, "resolve secrets", "%s has no secret %s", env, strings.Join(missing, ", "))
	if len(commands) > 0 {
		err = err.WithHint("run `%s`", strings.Join(commands, "` and `"))
	}
	return found, err
}

// Reveal returns a version's value, for delivery to an instance and for nothing
// else: it must reach no log, argument, environment variable or answer. The
// ciphertext is checked against the ledger and against its place.
func (v *Vault) Reveal(ctx context.Context, env, name string, version int) ([]byte, error) {
	op := fmt.Sprintf("read version %d of secret %s of %s", version, name, env)
	if err := checkNames(op, env, name); err != nil {
		return nil, err
	}
	row, ok, err := v.store.Row(ctx, Row, rowKey(env, name, version))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if !ok {
		return nil, fairlead.Errorf(fairlead.NotFound, op, "there is no such version").WithHint("run `%s` and deploy again", command(env, name))
	}
	var known Version
	if err := json.Unmarshal(row.Value, &known); err != nil || known.Env != env || known.Name != name || known.Version != version {
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "its row does not describe it")
	}
	if !known.Removed.IsZero() {
		return nil, fairlead.Errorf(fairlead.NotFound, op, "it was removed at %s", known.Removed.Format("2006-01-02 15:04:05 MST")).
			WithHint("run `%s` and deploy again", command(env, name))
	}
	return v.open(op, known)
}

func (v *Vault) open(op string, known Version) ([]byte, error) {
	if !known.Cipher.Valid() {
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "its row names no ciphertext")
	}
	cipher, err := disk.ReadFile(disk.OS{}, v.path(known.Cipher))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "its ciphertext is missing").WithHint("restore %s, or set the secret again", v.path(known.Cipher))
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	if fairlead.DigestOf(cipher) != known.Cipher {
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "its ciphertext is not what was written")
	}
	value, err := unseal(v.identity, known, cipher)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "%w", err)
	}
	return value, nil
}

// Deliver reveals the versions that a release names, by secret name. It is all or
// nothing.
func (v *Vault) Deliver(ctx context.Context, env string, versions map[string]int) (map[string][]byte, error) {
	values := make(map[string][]byte, len(versions))
	for name, version := range versions {
		value, err := v.Reveal(ctx, env, name, version)
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}
