package strictyaml

import (
	"fmt"
	"strings"
)

// Suggest returns the candidate that word is most likely a misspelling of, or "".
// A candidate is likely when at most a third of its letters, and at least one,
// must be inserted, deleted, changed or swapped with a neighbour (the optimal
// string alignment distance; Boytsov, "Indexing methods for approximate
// dictionary searching", 2011, section 2.2).
func Suggest(word string, candidates []string) string {
	const longest = 64
	best, least := "", longest
	if len(word) > longest {
		return ""
	}
	for _, candidate := range candidates {
		distance := distance(strings.ToLower(word), strings.ToLower(candidate))
		if distance <= max(1, len(candidate)/3) && distance < least {
			best, least = candidate, distance
		}
	}
	return best
}

// DidYouMean returns "; did you mean X?" for the suggestion, or "".
func DidYouMean(word string, candidates []string) string {
	if best := Suggest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}

func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
