package classify

import (
	"encoding/csv"
	"fmt"
	"hash/fnv"
	"os"
)

// Ticket is a text whose category is known.
type Ticket struct{ Category, Text string }

// header is the first line of a file of tickets.
var header = [2]string{"category", "text"}

// ReadTickets reads a CSV file with the columns category and text.
func ReadTickets(file string) ([]Ticket, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read tickets: %w", err)
	}
	defer f.Close()
	reader := csv.NewReader(f)
	reader.FieldsPerRecord = len(header)
	lines, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("tickets %s: %w", file, err)
	}
	if len(lines) < 2 || [2]string(lines[0]) != header {
		return nil, fmt.Errorf("tickets %s: want a header category,text and at least one ticket", file)
	}
	tickets := make([]Ticket, 0, len(lines)-1)
	for _, line := range lines[1:] {
		tickets = append(tickets, Ticket{Category: line[0], Text: line[1]})
	}
	return tickets, nil
}

// WriteTickets writes tickets in the form that ReadTickets reads.
func WriteTickets(file string, tickets []Ticket) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write tickets: %w", err)
	}
	defer f.Close()
	writer := csv.NewWriter(f)
	lines := [][]string{header[:]}
	for _, t := range tickets {
		lines = append(lines, []string{t.Category, t.Text})
	}
	if err := writer.WriteAll(lines); err != nil {
		return fmt.Errorf("write tickets: %w", err)
	}
	return f.Close()
}

// Split holds out about a quarter of the tickets, by a hash of their text: a
// ticket stays on its side when others come and go.
func Split(tickets []Ticket) (train, heldOut []Ticket) {
	for _, t := range tickets {
		hash := fnv.New64a()
		hash.Write([]byte(t.Text))
		if hash.Sum64()>>32%4 == 0 {
			heldOut = append(heldOut, t)
		} else {
			train = append(train, t)
		}
	}
	return train, heldOut
}
