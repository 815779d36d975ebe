package main

import (
	"context"
	"os"
)

func measureSize(_ context.Context, l *lab) ([]figure, error) {
	info, err := os.Stat(l.program)
	if err != nil {
		return nil, err
	}
	return []figure{{Name: "size of bin/fairlead", Unit: "MB", Goal: most(60), Samples: []float64{float64(info.Size()) / 1e6}}}, nil
}
