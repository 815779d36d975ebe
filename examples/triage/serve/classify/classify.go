// Package classify is the model of the triage example: naive Bayes over hashed
// word features, with its training and its evaluation.
//
// A [Model] never changes after it was read or trained and may be used by many
// goroutines. Training is deterministic: the same tickets give the same bytes.
package classify

import "math"

// buckets is how many features there are. Each word and each pair of words is
// hashed into one of them, so the model needs no vocabulary.
const buckets = 8192

// maxClasses bounds a model's categories, so that scores fit on the stack.
const maxClasses = 16

// temperature flattens the probabilities: naive Bayes counts a word, its stem and
// its pairs as if they were independent, and is too sure of itself without it.
// The value has the lowest loss in cross-validation on the training tickets.
const temperature = 1.5

// Model tells the category of a text.
type Model struct {
	classes []string
	weights []int16 // a row of one weight per class for each bucket, in units of 1/weightUnit
}

// Classes returns the categories that m knows. The slice belongs to m.
func (m *Model) Classes() []string { return m.classes }

// Classify returns the likeliest category of text and how sure the model is, from
// 0 to 1. It reads the first maxFeatures features. All categories count as
// equally likely before the text is read.
func (m *Model) Classify(text string) (category string, confidence float64) {
	var found [maxFeatures]uint16
	var scores [maxClasses]float64
	n := len(m.classes)
	for _, f := range appendFeatures(found[:0], text) {
		row := m.weights[int(f)*n : int(f)*n+n]
		for c, w := range row {
			scores[c] += float64(w)
		}
	}
	for c := range n {
		scores[c] /= weightUnit * temperature
	}
	softmax(scores[:n])
	best := 0
	for c := range n {
		if scores[c] > scores[best] {
			best = c
		}
	}
	return m.classes[best], scores[best]
}

// softmax turns scores into probabilities, in place.
func softmax(scores []float64) {
	highest := scores[0]
	for _, s := range scores {
		highest = max(highest, s)
	}
	sum := 0.0
	for i, s := range scores {
		scores[i] = math.Exp(s - highest)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
}
