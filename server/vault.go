package server

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/secret"
)

// vaultFace is the vault as the API may see it.
type vaultFace struct{ vault *secret.Vault }

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
	at := now()
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

// Remove destroys all versions of a secret.
func (f vaultFace) Remove(ctx context.Context, env, name string, by fairlead.Principal) error {
	return f.vault.Remove(ctx, by, now(), env, name)
}
