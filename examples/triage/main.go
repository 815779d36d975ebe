// Triage answers support tickets over an OpenAI-compatible chat endpoint. It is
// the first example of Fairlead: see README.md.
package main

import (
	"os"

	"github.com/fairlead/fairlead/examples/triage/serve"
)

func main() { os.Exit(serve.Main(os.Args[1:], os.Getenv)) }
