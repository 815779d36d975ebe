package serve

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/examples/triage/serve/classify"
)

// evaluate measures a model on held-out tickets and fails below a floor. It
// reads the model alone, not the configuration, so that it is about the model.
func evaluate(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("triage eval", flag.ContinueOnError)
	flags.SetOutput(stderr)
	modelFile := flags.String("model", "model/weights.json", "`file` of the weights")
	ticketFile := flags.String("data", "data/heldout.csv", "`file` of tickets that the model has not seen")
	floor := flags.Float64("floor", 0.8, "lowest accuracy that passes")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return exitUsage
	}
	model, err := classify.Load(*modelFile)
	if err != nil {
		return failed(stderr, err)
	}
	tickets, err := classify.ReadTickets(*ticketFile)
	if err != nil {
		return failed(stderr, err)
	}
	report := classify.Evaluate(model, tickets)
	if err := report.Print(stdout); err != nil {
		return failed(stderr, err)
	}
	if report.Accuracy() < *floor {
		fmt.Fprintf(stdout, "FAIL: below the floor of %.3f\n", *floor)
		return exitFailed
	}
	fmt.Fprintf(stdout, "ok: not below the floor of %.3f\n", *floor)
	return exitOK
}

// train fits the model to the tickets that are not held out, writes both to the
// files of release v1, and prints how the model does on the held-out ones.
func train(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("triage train", flag.ContinueOnError)
	flags.SetOutput(stderr)
	ticketFile := flags.String("data", "examples/triage/data/tickets.csv", "`file` of labelled tickets")
	out := flags.String("out", "examples/triage/release/v1", "`directory` for model/weights.json and data/heldout.csv")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return exitUsage
	}
	tickets, err := classify.ReadTickets(*ticketFile)
	if err != nil {
		return failed(stderr, err)
	}
	trained, heldOut := classify.Split(tickets)
	model, err := classify.Train(trained)
	if err != nil {
		return failed(stderr, err)
	}
	if err := writeModel(*out, model, heldOut); err != nil {
		return failed(stderr, err)
	}
	fmt.Fprintf(stdout, "trained on %d tickets\n", len(trained))
	if err := classify.Evaluate(model, heldOut).Print(stdout); err != nil {
		return failed(stderr, err)
	}
	return exitOK
}

func writeModel(dir string, model *classify.Model, heldOut []classify.Ticket) error {
	data, err := model.Encode()
	if err != nil {
		return err
	}
	for _, folder := range []string{"model", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "model/weights.json"), data, 0o644); err != nil {
		return err
	}
	return classify.WriteTickets(filepath.Join(dir, "data/heldout.csv"), heldOut)
}

func failed(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "triage:", err)
	return exitFailed
}
