package classify

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const (
	ticketFile  = "../../data/tickets.csv"
	weightsPath = "../../release/v1/model/weights.json"
	heldOutPath = "../../release/v1/data/heldout.csv"
)

func trained(t testing.TB) (model *Model, heldOut []Ticket) {
	t.Helper()
	tickets, err := ReadTickets(ticketFile)
	if err != nil {
		t.Fatal(err)
	}
	part, heldOut := Split(tickets)
	if model, err = Train(part); err != nil {
		t.Fatal(err)
	}
	return model, heldOut
}

func TestTrainingAgainGivesTheBytesOfTheRelease(t *testing.T) {
	model, heldOut := trained(t)
	got, err := model.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(weightsPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the weights differ from the release's: run `make -C examples/triage train` and commit them")
	}
	file := filepath.Join(t.TempDir(), "heldout.csv")
	if err := WriteTickets(file, heldOut); err != nil {
		t.Fatal(err)
	}
	again, _ := os.ReadFile(file)
	if released, _ := os.ReadFile(heldOutPath); !bytes.Equal(again, released) {
		t.Error("the held-out tickets differ from the release's: run `make -C examples/triage train` and commit them")
	}
}

func TestNoTicketIsBothTrainedOnAndHeldOut(t *testing.T) {
	tickets, err := ReadTickets(ticketFile)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, ticket := range tickets {
		if seen[ticket.Text] {
			t.Errorf("%q stands in the data twice", ticket.Text)
		}
		seen[ticket.Text] = true
	}
	train, heldOut := Split(tickets)
	if len(train)+len(heldOut) != len(tickets) || len(heldOut) < len(tickets)/5 {
		t.Errorf("split %d tickets into %d and %d", len(tickets), len(train), len(heldOut))
	}
}

func TestTheReleasedModelIsRightOnMostHeldOutTickets(t *testing.T) {
	model, err := Load(weightsPath)
	if err != nil {
		t.Fatal(err)
	}
	heldOut, err := ReadTickets(heldOutPath)
	if err != nil {
		t.Fatal(err)
	}
	if accuracy := Evaluate(model, heldOut).Accuracy(); accuracy < 0.85 {
		t.Errorf("accuracy is %.3f", accuracy)
	}
}

func TestConfidenceIsNearTheShareOfRightAnswers(t *testing.T) {
	model, heldOut := trained(t)
	sum := 0.0
	for _, ticket := range heldOut {
		_, confidence := model.Classify(ticket.Text)
		sum += confidence
	}
	mean, accuracy := sum/float64(len(heldOut)), Evaluate(model, heldOut).Accuracy()
	if mean < accuracy-0.1 || mean > accuracy+0.1 {
		t.Errorf("the model claims %.3f and is right in %.3f", mean, accuracy)
	}
}

func TestCaseAndPunctuationDoNotMatter(t *testing.T) {
	model, _ := trained(t)
	first, a := model.Classify("Please cancel my subscription")
	second, b := model.Classify("  PLEASE -- cancel, my subscription!!!\n")
	if first != second || a != b || first != "cancellation" {
		t.Errorf("got %s %.4f and %s %.4f", first, a, second, b)
	}
}

func TestTruncatedWeightsAreRefused(t *testing.T) {
	whole, err := os.ReadFile(weightsPath)
	if err != nil {
		t.Fatal(err)
	}
	shorter := bytes.Replace(whole, []byte(`"weights":"`), []byte(`"weights":"AAAAAAAA`), 1)
	for name, data := range map[string][]byte{"empty": nil, "half": whole[:len(whole)/2], "too many weights": shorter} {
		if _, err := decode(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	model, heldOut := trained(t)
	i := 0
	if n := testing.AllocsPerRun(200, func() { model.Classify(heldOut[i%len(heldOut)].Text); i++ }); n > 0 {
		t.Errorf("%.1f allocations a call", n)
	}
}

func FuzzClassifyHoldsForAnyText(f *testing.F) {
	model, _ := trained(f)
	for _, seed := range []string{"", "a", "ÄÖ ü\xff\xfe", "can't log in!", string(make([]byte, 5000))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		category, confidence := model.Classify(text)
		if category == "" || !(confidence > 0 && confidence <= 1) {
			t.Errorf("category %q with confidence %v", category, confidence)
		}
	})
}

func FuzzDecodeRefusesOrReads(f *testing.F) {
	model, _ := trained(f)
	whole, _ := model.Encode()
	f.Add(whole)
	f.Add([]byte(`{"format":1,"classes":["a","b"],"buckets":8192,"weights":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if model, err := decode(data); err == nil {
			model.Classify("any text")
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	model, heldOut := trained(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		model.Classify(heldOut[i%len(heldOut)].Text)
	}
}
