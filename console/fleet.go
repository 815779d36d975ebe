package console

import "context"

// fleet shows every app in every environment.
func fleet(ctx context.Context, v visit) (view, error) {
	apps, err := v.api.Apps(ctx)
	if err != nil {
		return view{}, err
	}
	return view{Title: "Fleet", Parts: []part{{ID: "fleet", Template: "fleet", Data: apps}}}, nil
}
