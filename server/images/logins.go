package images

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/workload/container"
)

// logins find the credentials that open registries.
type logins struct {
	reveal func(ctx context.Context, env, name string) ([]byte, error)
	getenv func(string) string
}

// login says which credentials are meant: the secret that an environment has by that
// name, or those in the Docker configuration where none is named.
type login struct{ env, secret string }

// of returns what opens the registry of an image.
func (l logins) of(ctx context.Context, by login, image string) (container.Credentials, error) {
	if by.secret == "" {
		return container.Login(ctx, l.getenv, image)
	}
	value, err := l.value(ctx, by)
	if err != nil {
		return container.Credentials{}, err
	}
	defer clear(value)
	return container.ReadCredentials(value, image)
}

// forAll refuses credentials that would be shown to more registries than they are for.
func (l logins) forAll(ctx context.Context, by login, images []string) error {
	if by.secret == "" {
		return nil
	}
	value, err := l.value(ctx, by)
	if err != nil {
		return err
	}
	defer clear(value)
	return container.ForAll(value, images)
}

// value returns the secret, which the caller clears.
func (l logins) value(ctx context.Context, by login) ([]byte, error) {
	value, err := l.reveal(ctx, by.env, by.secret)
	if err != nil {
		return nil, fmt.Errorf("credentials of the registry: %w", err)
	}
	return value, nil
}
