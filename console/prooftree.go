package console

import "github.com/fairlead/fairlead/api/client"

// proofTree is a path through the ledger's tree as a drawing: the leaf at the bottom, on
// each level the hash that stands beside, the root at the top.
type proofTree struct {
	Width, Height int
	Nodes         []treeNode
	Lines         []treeLine
}

type treeNode struct {
	X, Y int
	Sort string // leaf, beside, sum or root
	Step int    // of the list beside it, from 1; 0 for the leaf
}

// Left and Top are the corner of a node that is drawn as a square.
func (n treeNode) Left() int { return n.X - nodeHalf }

// Top is as Left.
func (n treeNode) Top() int { return n.Y - nodeHalf }

type treeLine struct {
	X1, Y1, X2, Y2 int
	Ours           bool // on the way from the leaf
}

// The measures of the drawing in pixels.
const (
	treeRise   = 30 // from level to level
	treeSpread = 26 // from a node to what stands beside it, halved with each level that it drifts
	treeMargin = 14
	nodeHalf   = 5
)

// treeOf draws a path. A node stands above the middle of the two that it is made of.
func treeOf(path []client.ProofStep) proofTree {
	t := proofTree{Height: 2*treeMargin + len(path)*treeRise}
	x, y, least, most := 0, t.Height-treeMargin, 0, 0
	t.Nodes = []treeNode{{x, y, "leaf", 0}}
	for i, step := range path {
		side := 2 * treeSpread
		if step.Side == "left" {
			side = -side
		}
		up, sort := y-treeRise, "sum"
		if i == len(path)-1 {
			sort = "root"
		}
		above := x + side/2
		t.Lines = append(t.Lines, treeLine{x + side, y, above, up, false}, treeLine{x, y, above, up, true})
		t.Nodes = append(t.Nodes, treeNode{x + side, y, "beside", i + 1}, treeNode{above, up, sort, i + 1})
		least, most = min(least, x, x+side, above), max(most, x, x+side, above)
		x, y = above, up
	}
	t.Width = most - least + 2*treeMargin
	for i := range t.Nodes {
		t.Nodes[i].X += treeMargin - least
	}
	for i := range t.Lines {
		t.Lines[i].X1 += treeMargin - least
		t.Lines[i].X2 += treeMargin - least
	}
	return t
}
