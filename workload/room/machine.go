// Package room is the arithmetic of one machine: what it has for instances, what is
// taken of it, and whether what a deploy asks for fits beside that.
//
// Memory is never promised twice: the limits of all instances together stay within
// what the machine has less [Reserve], for an instance may use all of its limit at
// any time, and what lacks memory is killed. CPU is time, which is lent while its
// owner does not use it: limits may add up to [CPUFactor] times the machine's cores,
// and only one that is above the machine's own cores is refused by itself. Volumes are counted by
// the size that they declare. Devices are counted whole or in the parts that
// instances ask for. An instance without a limit counts as nothing, and the answer
// says so.
//
// All but [Look] is pure.
package room

// Machine is what a machine has for instances. A zero amount is one that is not
// known; what is not known is not checked.
type Machine struct {
	MilliCPU int64  // thousandths of a core that this process may use
	Memory   int64  // bytes, of the machine or the control group that this process is in
	Bounded  string // by what Memory is bounded, where it is not the machine
	Reserve  int64  // bytes of Memory that are not for instances
	State    Disk   // where volumes and content are
	Engine   *Disk  // where a container engine keeps images, if that is another file system
}

// Disk is a file system.
type Disk struct {
	Path string
	Size int64 // bytes
	Free int64 // bytes that this user may still write
}

// Reserve returns what of a machine's memory is not for instances: a sixteenth, at
// least 256 MiB and at most 2 GiB, for the system, the control plane and the gateway.
func Reserve(memory int64) int64 { return min(max(memory/16, 256<<20), 2<<30) }

// CPUFactor is how many times the machine's cores all CPU limits together may be.
const CPUFactor = 4
