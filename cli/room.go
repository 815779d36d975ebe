package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/quantity"
)

func (inv *invocation) room() *cobra.Command {
	return &cobra.Command{
		Use:   "room",
		Short: "What the machine has, and who takes what of it",
		Long: `Room shows what the machine has for instances, what is promised of it, and to
which releases. Memory limits together never go beyond what the machine has less
a reserve. CPU is lent while its owner does not use it, so CPU limits together may
be several times the cores. Volumes count by the size that they declare. What
states no limit counts as nothing, and is named. A deploy that does not fit is
refused with this arithmetic.`,
		Example: "  fairlead room\n  fairlead room --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			r, err := c.Room(cmd.Context())
			if err != nil {
				return during("room", err)
			}
			return inv.show(r, func(w io.Writer) error { return writeRoom(w, r) })
		},
	}
}

func writeRoom(w io.Writer, r client.Room) error {
	rows := [][]string{
		{"", "HAS", "RESERVE", "TAKEN", "FREE"},
		accountRow("cpu limits", r.CPU, quantity.CPU),
		accountRow("memory", r.Memory, roomBytes),
		accountRow("storage", r.Storage, roomBytes),
	}
	if d := r.Images; d != nil {
		rows = append(rows, []string{"images", roomBytes(d.Size), "", "", roomBytes(d.Free)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	for _, note := range roomNotes(r) {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	if len(r.Taken) == 0 {
		_, err := fmt.Fprintln(w, "\nnothing runs")
		return err
	}
	rows = [][]string{{"APP", "ENVIRONMENT", "RELEASE", "INSTANCES", "CPU", "MEMORY", "GPU", "IMAGE", "VOLUMES"}}
	for _, p := range r.Taken {
		rows = append(rows, roomRow(p))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, withoutEmpty(rows))
}

func accountRow(name string, a client.Account, text func(int64) string) []string {
	if a.Has == 0 {
		return []string{name, "unknown", "", text(a.Taken), "unknown"}
	}
	reserve, free := "", text(a.Free)
	if a.Reserve > 0 {
		reserve = text(a.Reserve)
	}
	return []string{name, text(a.Has), reserve, text(a.Taken), free}
}

// roomBytes writes a size with one digit after the point, so that what is shown adds
// up: "1.5 GiB". It is below nothing where more was promised than there is.
func roomBytes(n int64) string {
	text := quantity.Bytes(n)
	number := strings.TrimRight(text, "KMGTi")
	return number + " " + text[len(number):] + "B"
}

// roomNotes say what the figures are of.
func roomNotes(r client.Room) []string {
	var notes []string
	if r.MilliCPU > 0 {
		notes = append(notes, fmt.Sprintf("the machine has %s cores; all CPU limits together may be %d times that", quantity.CPU(r.MilliCPU), r.CPU.Has/r.MilliCPU))
	}
	if r.Bounded != "" {
		notes = append(notes, "memory is bounded by the "+r.Bounded)
	}
	if s := r.Storage; s.Has > 0 {
		other := max(0, s.Has-s.Taken-s.Free)
		notes = append(notes, fmt.Sprintf("storage: taken is what volumes may still fill; other files, and what the file system keeps back, are %s", roomBytes(other)))
	}
	if len(r.Unlimited) > 0 {
		notes = append(notes, "without a memory limit, and so counted as nothing: "+strings.Join(r.Unlimited, ", "))
	}
	return notes
}

func roomRow(p client.RoomPart) []string {
	instances := strconv.Itoa(p.Running)
	if p.Most != p.Running {
		instances = fmt.Sprintf("%d, %d at most", p.Running, p.Most)
	}
	cpu, memory, image := "no limit", "no limit", ""
	if p.MilliCPU > 0 {
		cpu = quantity.CPU(p.MilliCPU)
	}
	if p.Memory > 0 {
		memory = roomBytes(p.Memory)
	}
	if p.ImageSize > 0 {
		image = roomBytes(p.ImageSize)
	}
	var volumes []string
	for _, v := range p.Volumes {
		size := "no limit"
		if v.Size > 0 {
			size = roomBytes(v.Size)
		}
		volumes = append(volumes, fmt.Sprintf("%s %s of %s", v.Name, roomBytes(v.Used), size))
	}
	return []string{p.App, p.Env, fmt.Sprintf("%s@%d", p.App, p.Release), instances, cpu, memory, p.GPU, image, strings.Join(volumes, ", ")}
}

// withoutEmpty leaves out the columns in which only the heading is.
func withoutEmpty(rows [][]string) [][]string {
	kept := make([][]string, len(rows))
	for column := range rows[0] {
		empty := true
		for _, row := range rows[1:] {
			empty = empty && row[column] == ""
		}
		if empty {
			continue
		}
		for i, row := range rows {
			kept[i] = append(kept[i], row[column])
		}
	}
	return kept
}
