package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

func (inv *invocation) devices() *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "The machine's GPUs, how they do, and who has them",
		Long: `Devices shows the GPUs of the machine: what is used of their memory and time, by
whomever, and which instances have them. An app asks for them under
spec.resources.gpu: whole ones by count, or a part of one by memory or share. Two
apps that share a GPU are kept apart by their drivers' means alone: how much memory
each takes is agreed, not enforced.`,
		Example: "  fairlead devices\n  fairlead devices --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			devices, err := c.Devices(cmd.Context())
			if err != nil {
				return during("devices", err)
			}
			return inv.show(devices, func(w io.Writer) error { return writeDevices(w, devices) })
		},
	}
}

func writeDevices(w io.Writer, d client.Devices) error {
	if len(d.Devices) == 0 {
		if _, err := fmt.Fprintln(w, "this machine shows no GPU of NVIDIA or AMD; they are found on the PCI bus (/sys/bus/pci/devices)"); err != nil {
			return err
		}
		return writeNotes(w, d.Notes)
	}
	rows := [][]string{{"DEVICE", "NAME", "MEMORY", "BUSY", "HEALTH", "HELD BY", "PART"}}
	for _, one := range d.Devices {
		first := []string{one.ID, one.Name, deviceMemory(one), deviceBusy(one), one.Health}
		if len(one.Holders) == 0 {
			rows = append(rows, append(first, "nobody", ""))
		}
		for i, h := range one.Holders {
			if i > 0 {
				first = make([]string, len(first))
			}
			rows = append(rows, append(first, fmt.Sprintf("%s@%d in %s", h.App, h.Release, h.Env), devicePart(h)))
		}
	}
	if err := table(w, rows); err != nil {
		return err
	}
	notes := d.Notes
	for _, one := range d.Devices {
		if one.Note != "" {
			notes = append(notes, one.ID+": "+one.Note)
		}
	}
	return writeNotes(w, notes)
}

func writeNotes(w io.Writer, notes []string) error {
	if len(notes) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, "\n"+strings.Join(notes, "\n"))
	return err
}

func deviceMemory(d client.Device) string {
	switch {
	case d.Memory == 0:
		return "unknown"
	case d.Used == nil:
		return "? of " + figures.Bytes(d.Memory)
	}
	return figures.Bytes(*d.Used) + " of " + figures.Bytes(d.Memory)
}

func deviceBusy(d client.Device) string {
	if d.Busy == nil {
		return "unknown"
	}
	return figures.Percent(*d.Busy)
}

func devicePart(h client.DeviceUser) string {
	switch {
	case h.Whole:
		return "all"
	case h.Memory > 0:
		return figures.Bytes(h.Memory)
	}
	return fmt.Sprintf("%.3g %%", h.Share)
}
