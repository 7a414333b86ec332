package peer_test

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

// A process that saves nothing, asked for two things.
func Example() {
	requests := strings.NewReader(`{"op":"hello"}
{"op":"save","dir":"/tmp/x"}
`)
	err := peer.Serve(requests, os.Stdout, peer.Calls{
		"hello": func(peer.Request) (peer.Answer, error) { return peer.Answer{Version: "v1"}, nil },
		"save":  func(q peer.Request) (peer.Answer, error) { return peer.Answer{}, fmt.Errorf("no room in %s", q.Dir) },
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// {"version":"v1"}
	// {"error":"no room in /tmp/x"}
}
