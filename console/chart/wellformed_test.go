package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestEveryDrawingIsWellFormedAndInItsFrame draws charts of any numbers and texts.
func TestEveryDrawingIsWellFormedAndInItsFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyChart(t)
		for name, svg := range map[string][]byte{"page": c.Inline("x"), "file": c.File(".a>b{}", c.Says)} {
			if err := check(svg, c); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, svg)
			}
		}
	})
}

// value returns a number that a chart may be given, however odd.
func value() *rapid.Generator[float64] {
	return rapid.OneOf(rapid.Float64Range(0, 100), rapid.Float64(), rapid.SampledFrom([]float64{
		0, -1, 1e-320, 1e300, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1), -math.MaxFloat64,
	}))
}

func anyChart(t *rapid.T) Chart {
	text := rapid.String()
	style := rapid.SampledFrom([]Style{Plain, Old, New, Harm, Safe})
	seconds := rapid.Float64Range(-10, 1000)
	c := Chart{
		Title: text.Draw(t, "title"), Says: text.Draw(t, "says"), Empty: text.Draw(t, "empty"),
		From: began, To: after(rapid.SampledFrom([]float64{0, 1, 100, 1e6, -5}).Draw(t, "to")), Height: rapid.IntRange(0, 300).Draw(t, "height"),
		Y: Axis{Unit: text.Draw(t, "unit"), Log: rapid.Bool().Draw(t, "log"), Low: value().Draw(t, "low"), High: value().Draw(t, "high"),
			Least: value().Draw(t, "least"), Most: value().Draw(t, "most")},
	}
	for range rapid.IntRange(0, 4).Draw(t, "lines") {
		l := Line{Name: text.Draw(t, "name"), Style: style.Draw(t, "style"), Shape: Shape(rapid.IntRange(0, 2).Draw(t, "shape")),
			Band: rapid.Bool().Draw(t, "band"), Faint: rapid.Bool().Draw(t, "faint")}
		at := -5.0
		for range rapid.IntRange(0, 20).Draw(t, "points") {
			at += rapid.Float64Range(0, 20).Draw(t, "later")
			l.Points = append(l.Points, Point{after(at), value().Draw(t, "value"), value().Draw(t, "low"), value().Draw(t, "high")})
		}
		c.Lines = append(c.Lines, l)
	}
	for range rapid.IntRange(0, 4).Draw(t, "levels") {
		c.Levels = append(c.Levels, Level{value().Draw(t, "level"), text.Draw(t, "label"), style.Draw(t, "style")})
	}
	for range rapid.IntRange(0, 6).Draw(t, "marks") {
		c.Marks = append(c.Marks, Mark{At: after(seconds.Draw(t, "at")), Label: text.Draw(t, "label"), Text: text.Draw(t, "text"), Style: style.Draw(t, "style")})
	}
	return c
}

// check reads a drawing as XML, and finds what is not finite or out of its frame.
func check(svg []byte, c Chart) error {
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var width, height float64 // of the innermost view box
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			switch {
			case a.Name.Local == "viewBox":
				if _, err := fmt.Sscanf(a.Value, "0 0 %f %f", &width, &height); err != nil {
					return err
				}
			case a.Name.Local == "d" && !has(element, "lead"):
				if err := inside(a.Value, width, height); err != nil {
					return err
				}
			case strings.HasSuffix(a.Value, "%") && a.Name.Local != "class":
				part, err := strconv.ParseFloat(strings.TrimSuffix(a.Value, "%"), 64)
				if err != nil || !(part >= 0 && part <= 100) {
					return fmt.Errorf("%s=%q is not in the frame", a.Name.Local, a.Value)
				}
			case a.Name.Local == "y" || a.Name.Local == "cy":
				y, err := strconv.ParseFloat(a.Value, 64)
				if err != nil || !(y > -20 && y < float64(c.height()+5000)) {
					return fmt.Errorf("%s=%q is out of the frame", a.Name.Local, a.Value)
				}
			case a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on"):
				return fmt.Errorf("attribute %s", a.Name.Local)
			}
		}
	}
}

func has(e xml.StartElement, class string) bool {
	for _, a := range e.Attr {
		if a.Name.Local == "class" && a.Value == class {
			return true
		}
	}
	return false
}

// inside follows a path, and reports where it leaves its view box.
func inside(d string, width, height float64) error {
	x, y := 0.0, 0.0
	command := byte(0)
	for d != "" {
		if strings.IndexByte("Mlhvz", d[0]) >= 0 {
			command, d = d[0], d[1:]
			continue
		}
		var first, second float64
		first, d = leading(d)
		switch command {
		case 'h':
			x += first
		case 'v':
			y += first
		case 'M', 'l':
			second, d = leading(d)
			if command == 'M' {
				x, y = 0, 0
			}
			x, y = x+first, y+second
		default:
			return fmt.Errorf("number after %q", command)
		}
		if !(x >= 0 && x <= width && y >= 0 && y <= height+1) {
			return fmt.Errorf("a path goes to %g, %g in a frame of %g by %g", x, y, width, height)
		}
	}
	return nil
}

// leading takes the number at the beginning of a path.
func leading(d string) (float64, string) {
	d = strings.TrimLeft(d, " ")
	n := 0
	for n < len(d) && (d[n] >= '0' && d[n] <= '9' || d[n] == '.' || n == 0 && d[n] == '-') {
		n++
	}
	v, err := strconv.ParseFloat(d[:n], 64)
	if err != nil {
		return math.NaN(), ""
	}
	return v, d[n:]
}
