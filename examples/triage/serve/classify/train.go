package classify

import (
	"fmt"
	"math"
	"slices"
)

// smoothing is added to each count, so that a feature which was never seen in a
// category does not rule the category out (Laplace).
const smoothing = 1

// Train fits a multinomial naive Bayes classifier: it counts in how many tickets
// of each category a feature occurs, and keeps the logarithms of the smoothed
// shares (McCallum and Nigam, A Comparison of Event Models for Naive Bayes Text
// Classification, 1998). The counts are whole numbers, so that the order of the
// tickets does not matter.
func Train(tickets []Ticket) (*Model, error) {
	classes, err := categories(tickets)
	if err != nil {
		return nil, err
	}
	n := len(classes)
	counts := make([]int, buckets*n) // a row of classes per bucket
	totals := make([]int, n)
	var found [maxFeatures]uint16
	for _, ticket := range tickets {
		c := slices.Index(classes, ticket.Category)
		for _, f := range appendFeatures(found[:0], ticket.Text) {
			counts[int(f)*n+c]++
			totals[c]++
		}
	}
	weights := make([]int16, 0, len(counts))
	for row := range slices.Chunk(counts, n) {
		weights = append(weights, logShares(row, totals)...)
	}
	return &Model{classes: classes, weights: weights}, nil
}

// categories returns the distinct categories of tickets, sorted.
func categories(tickets []Ticket) ([]string, error) {
	var classes []string
	for _, ticket := range tickets {
		if !slices.Contains(classes, ticket.Category) {
			classes = append(classes, ticket.Category)
		}
	}
	slices.Sort(classes)
	if n := len(classes); n < 2 || n > maxClasses {
		return nil, fmt.Errorf("train: %d categories, want 2 to %d", n, maxClasses)
	}
	return classes, nil
}

// logShares returns the weights of one feature: the logarithm of its smoothed
// share of each class's features, less their mean, which changes no answer. A
// feature that was never seen says nothing.
func logShares(row, totals []int) []int16 {
	weights := make([]int16, len(row))
	if slices.Max(row) == 0 {
		return weights
	}
	logs, mean := make([]float64, len(row)), 0.0
	for c, count := range row {
		logs[c] = math.Log(float64(count+smoothing) / float64(totals[c]+smoothing*buckets))
		mean += logs[c] / float64(len(row))
	}
	for c := range row {
		weights[c] = int16(math.Round((logs[c] - mean) * weightUnit))
	}
	return weights
}
