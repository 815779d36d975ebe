package console

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tokensOf returns the colours of console.css: by token, for light and for dark.
func tokensOf(t *testing.T) map[string]map[string]colour {
	t.Helper()
	css, err := assetFiles.ReadFile("assets/console.css")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^  --([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);$`).FindAllStringSubmatch(string(css), -1)
	if n := strings.Count(string(css), "light-dark("); len(found) != n || n < 15 {
		t.Fatalf("%d of %d colours could be read: write each as --name: light-dark(#rrggbb, #rrggbb);", len(found), n)
	}
	all := map[string]map[string]colour{"light": {}, "dark": {}}
	for _, f := range found {
		all["light"][f[1]], all["dark"][f[1]] = parseColour(f[2]), parseColour(f[3])
	}
	return all
}

// colour is red, green and blue as light, 0 to 1 each: linear, without sRGB's curve.
type colour [3]float64

func parseColour(hex string) (c colour) {
	for i := range c {
		v, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8) // the expression took digits only
		s := float64(v) / 255
		if c[i] = s / 12.92; s > 0.04045 {
			c[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return c
}

// contrast is that of WCAG 2.2, 1 to 21.
func contrast(a, b colour) float64 {
	luminance := func(c colour) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestTextAndControlsHaveContrastInBothSchemes(t *testing.T) {
	const text, line = 4.5, 3
	grounds := []string{"ground", "surface", "sunken"}
	wanted := map[string]float64{ // "token on token" -> least contrast
		"on-accent on accent": text, "on-accent on accent-hover": text, "on-danger on harm": text,
		"safe on safe-ground": text, "harm on harm-ground": text, "held on held-ground": text, "move on move-ground": text,
		"ink on safe-ground": text, "ink on harm-ground": text, "ink on held-ground": text, "ink on move-ground": text,
	}
	for _, ground := range grounds {
		for _, token := range []string{"ink", "quiet", "accent", "accent-hover", "safe", "harm", "held", "move", "old", "new"} {
			wanted[token+" on "+ground] = text
		}
		wanted["edge on "+ground] = line
	}
	for scheme, colours := range tokensOf(t) {
		for pair, least := range wanted {
			front, back, _ := strings.Cut(pair, " on ")
			f, ok := colours[front]
			b, known := colours[back]
			if !ok || !known {
				t.Errorf("%s: there is no such token", pair)
				continue
			}
			if got := contrast(f, b); got < least {
				t.Errorf("%s, %s: contrast %.2f, want %.1f", scheme, pair, got, least)
			}
		}
	}
}

// A chart that is downloaded holds its colours itself.
func TestADownloadedChartHasThePagesColours(t *testing.T) {
	byScheme := tokensOf(t)
	light, dark, ok := strings.Cut(schemes, "@media")
	if !ok {
		t.Fatal("it has no dark colours")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		found := regexp.MustCompile(`--([a-z-]+):#([0-9a-f]{3,6})`).FindAllStringSubmatch(css, -1)
		if len(found) == 0 {
			t.Errorf("it has no colours for %s", scheme)
		}
		for _, f := range found {
			hex := f[2]
			if len(hex) == 3 {
				hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
			}
			if byScheme[scheme][f[1]] != parseColour(hex) {
				t.Errorf("%s, --%s is #%s there and another colour in console.css", scheme, f[1], hex)
			}
		}
	}
}

// sights are how people see who lack one kind of cone: matrices for linear RGB by
// Machado, Oliveira and Fernandes (2009), at full severity.
var sights = map[string][3][3]float64{
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	"all cones":    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
}

func seen(c colour, sight [3][3]float64) (out colour) {
	for i := range out {
		for j := range c {
			out[i] += sight[i][j] * c[j]
		}
		out[i] = min(1, max(0, out[i]))
	}
	return out
}

// apart is the distance of two colours in Oklab (Ottosson, 2020): 0.02 is just seen.
func apart(a, b colour) float64 {
	x, y := oklab(a), oklab(b)
	return math.Sqrt((x[0]-y[0])*(x[0]-y[0]) + (x[1]-y[1])*(x[1]-y[1]) + (x[2]-y[2])*(x[2]-y[2]))
}

func oklab(c colour) [3]float64 {
	l := math.Cbrt(0.4122214708*c[0] + 0.5363325363*c[1] + 0.0514459929*c[2])
	m := math.Cbrt(0.2119034982*c[0] + 0.6806995451*c[1] + 0.1073969566*c[2])
	s := math.Cbrt(0.0883024619*c[0] + 0.2817188376*c[1] + 0.6299787005*c[2])
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

func TestTheTwoReleasesAreToldApartWhateverConesOneHas(t *testing.T) {
	for scheme, colours := range tokensOf(t) {
		for name, sight := range sights {
			if d := apart(seen(colours["old"], sight), seen(colours["new"], sight)); d < 0.1 {
				t.Errorf("%s, %s: old and new are %.3f apart, want 0.1", scheme, name, d)
			}
		}
	}
}

// A colour that is no token would not change with the scheme, and nothing would check it.
func TestStylesheetsUseTokensThatThereAre(t *testing.T) {
	tokens, err := assetFiles.ReadFile("assets/console.css")
	if err != nil {
		t.Fatal(err)
	}
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	definition, use := regexp.MustCompile(`--([a-z0-9-]+):`), regexp.MustCompile(`var\(--([a-z0-9-]+)`)
	own := regexp.MustCompile(`[:\s](#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\()`)
	for _, f := range files {
		css, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil || !strings.HasSuffix(f.Name(), ".css") {
			continue
		}
		defined := map[string]bool{}
		for _, m := range definition.FindAllStringSubmatch(string(tokens)+string(css), -1) {
			defined[m[1]] = true
		}
		for _, m := range use.FindAllStringSubmatch(string(css), -1) {
			if !defined[m[1]] {
				t.Errorf("%s uses --%s, which is no token", f.Name(), m[1])
			}
		}
		for line := range strings.Lines(string(css)) {
			shadow := strings.Contains(line, "box-shadow") || strings.Contains(line, "::backdrop")
			if own.MatchString(line) && !shadow && !strings.Contains(line, "light-dark(") {
				t.Errorf("%s has a colour of its own: %s", f.Name(), strings.TrimSpace(line))
			}
		}
	}
}
