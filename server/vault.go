package server

import (
	"context"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/secret"
)

// vaultFace is the vault as the API may see it.
type vaultFace struct {
	now      func() time.Time
	vault    *secret.Vault
	engine   *rollout.Engine
	releases *release.Maker
}

// List returns the versions of an environment's secrets.
func (f vaultFace) List(ctx context.Context, env string) ([]client.Secret, error) {
	versions, err := f.vault.List(ctx, env)
	if err != nil {
		return nil, err
	}
	list := make([]client.Secret, len(versions))
	for i, v := range versions {
		list[i] = client.Secret{Env: v.Env, Name: v.Name, Version: v.Version, Created: v.Created}
	}
	return list, nil
}

// Set stores a new version; one that rotates without a value gets a random one.
func (f vaultFace) Set(ctx context.Context, env, name string, in client.SecretValue, by fairlead.Principal) (client.Secret, error) {
	at := f.now()
	store := f.vault.Set
	if in.Rotate {
		store = f.vault.Rotate
		if len(in.Value) == 0 {
			in.Value = secret.Random()
		}
	}
	version, err := store(ctx, by, at, env, name, in.Value)
	return client.Secret{Env: env, Name: name, Version: version, Created: at}, err
}

// Remove destroys all versions of a secret that no release with traffic names.
func (f vaultFace) Remove(ctx context.Context, env, name string, by fairlead.Principal) error {
	user, err := f.user(ctx, env, name)
	if err != nil {
		return err
	}
	if user != "" {
		return fairlead.Errorf(fairlead.Conflict, "remove secret "+name, "%s, which has traffic in %s, needs it to start", user, env).
			WithHint("first release without it, or rotate it with: fairlead secret rotate %s --env %s", name, env)
	}
	return f.vault.Remove(ctx, by, f.now(), env, name)
}

// user returns a release in an environment that may be started again and names a
// secret, or "".
func (f vaultFace) user(ctx context.Context, env, name string) (string, error) {
	for _, state := range f.engine.Sites() {
		if state.Live.Site.Env != env {
			continue
		}
		numbers := []int{state.Live.Stable}
		if r := state.Rollout; r != nil && r.Phase != rollout.Ended {
			numbers = append(numbers, r.From, r.To)
		}
		for _, number := range numbers {
			if number == 0 {
				continue
			}
			r, err := f.releases.Get(ctx, state.Live.Site.App, number)
			if err != nil {
				return "", err
			}
			if r.Content.Secrets[env][name] > 0 {
				return r.Name(), nil
			}
		}
	}
	return "", nil
}
