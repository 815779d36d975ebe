package api

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
)

// courseWithin is how long inputs are read for one answer: less than clients wait. Some
// 50,000 inputs are read in it, and the next call goes on from there.
const courseWithin = 8 * time.Second

func (s *server) registerCourse(api huma.API) {
	register(api, http.MethodGet, "/v1/rollouts/{id}/course", "getCourse", "A rollout's evidence over time",
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (client.Course, error) {
			ctx, cancel := context.WithTimeout(ctx, courseWithin)
			defer cancel()
			course, err := s.Courses.Of(ctx, in.ID)
			if err != nil {
				return client.Course{}, err
			}
			return viewCourse(course), nil
		})
}

func viewCourse(c rollout.Course) client.Course {
	v := client.Course{
		Rollout: c.Rollout.ID, Inputs: c.Inputs, Error: judge.BandError, EachSecs: c.Each.Seconds(), Differs: c.Differs,
		Needed:  client.CourseNeeded(c.Needed),
		Samples: make([]client.Sample, len(c.Samples)), Marks: make([]client.CourseMark, len(c.Marks)),
	}
	for i, s := range c.Samples {
		v.Samples[i] = viewSample(s)
	}
	for i, m := range c.Marks {
		v.Marks[i] = client.CourseMark(m)
	}
	return v
}

func viewSample(s rollout.Sample) client.Sample {
	v := client.Sample{
		From: s.From, At: s.At, Weight: s.Weight, Share: viewBand(s.Share),
		Stable: viewArmSample(s.Stable), Canary: viewArmSample(s.Canary), Harm: s.Harm, Safety: s.Safety,
	}
	if len(s.Signals) > 0 {
		v.Signals = make(map[string]client.SignalSample, len(s.Signals))
	}
	for name, signal := range s.Signals {
		v.Signals[name] = client.SignalSample(signal)
	}
	return v
}

func viewArmSample(a rollout.ArmSample) client.ArmSample {
	return client.ArmSample{
		Requests: a.Requests, Failed: a.Failed, Failures: viewBand(a.Failures),
		Latency: viewBands(a.Latency), First: viewBands(a.First),
	}
}

func viewBand(b *judge.Band) *client.Band {
	if b == nil {
		return nil
	}
	return &client.Band{Estimate: rounded(b.Estimate, math.Round), Low: rounded(b.Low, math.Floor), High: rounded(b.High, math.Ceil), Open: b.Open}
}

func viewBands(bands *[3]judge.Band) *[3]client.Band {
	if bands == nil {
		return nil
	}
	return &[3]client.Band{*viewBand(&bands[0]), *viewBand(&bands[1]), *viewBand(&bands[2])}
}

// rounded leaves five digits of a number that is not negative: a course has thousands
// of them.
func rounded(x float64, round func(float64) float64) float64 {
	if x == 0 {
		return 0
	}
	scale := math.Pow(10, 4-math.Floor(math.Log10(x)))
	return round(x*scale) / scale
}
