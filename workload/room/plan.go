package room

import (
	"fmt"

	"github.com/fairlead/fairlead"
)

// Need is what one instance asks for. Zero is no limit, or none of it.
type Need struct {
	MilliCPU int64
	Memory   int64 // bytes
	GPU      *fairlead.GPU
}

// NotMade is the number of a release that is not made yet.
const NotMade = -1

// Part is some instances of one release.
type Part struct {
	Site    fairlead.Site
	Release int // NotMade for one that is not made yet
	Count   int
	Each    Need
}

// Name says which release it is of, such as "triage@3 in production".
func (p Part) Name() string {
	if p.Release == NotMade {
		return fmt.Sprintf("the new %s in %s", p.Site.App, p.Site.Env)
	}
	return fmt.Sprintf("%s@%d in %s", p.Site.App, p.Release, p.Site.Env)
}

// Stage is what a site runs at one time.
type Stage []Part

// Plan is what a site runs from now on. Its stages come one after the other, and of
// each resource the largest counts.
type Plan struct {
	Site    fairlead.Site
	Stages  []Stage
	Volumes []Volume
}

// Volume is storage that a site declares.
type Volume struct {
	Name string
	Size int64 // bytes that it may hold
	Used int64 // bytes that it holds
}

// Ask is what a deploy needs beside all else. Its plan takes the place of the one
// that its site has in what is taken.
type Ask struct {
	Plan
	Release int   // whose instances are asked for, or NotMade
	Now     Stage // what runs at its site already: what asks for no more fits
	Storage int64 // bytes of volumes that were not declared before
	Place   Place // nil where this machine's devices are not known: they are not checked then
}

// Place says how many of the wanted instances can have the devices that they ask for,
// beside those of the promised parts, and where not all can, why.
type Place func(promised []Part, wanted Part) (fit int, why string)
