package peer_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

func TestServeAnswersLineByLine(t *testing.T) {
	calls := peer.Calls{
		"hello": func(peer.Request) (peer.Answer, error) { return peer.Answer{Version: "1"}, nil },
		"save":  func(q peer.Request) (peer.Answer, error) { return peer.Answer{}, errors.New("no room in " + q.Dir) },
	}
	var out bytes.Buffer
	in := `{"op":"hello"}` + "\n" + `{"op":"save","dir":"d"}` + "\n" + `{"op":"async"}` + "\n"
	if err := peer.Serve(strings.NewReader(in), &out, calls); err != nil {
		t.Fatal(err)
	}
	want := `{"version":"1"}` + "\n" + `{"error":"no room in d"}` + "\n" + `{"unable":true}` + "\n"
	if out.String() != want {
		t.Errorf("Serve(%s) = %s, want %s", in, &out, want)
	}
	if err := peer.Serve(strings.NewReader("{"), &out, calls); err == nil {
		t.Error("Serve of half a request succeeded")
	}
}

func TestDataThatWasSpoiledIsToldFromTheSame(t *testing.T) {
	d := peer.Make(3, 5)
	if err := d.Check(peer.Make(3, 5).Values); err != nil {
		t.Errorf("Check(the same) = %v", err)
	}
	d.Spoil()
	if d.Check(d.Values) == nil || d.Check(nil) == nil {
		t.Error("Check takes what was spoiled, or nothing, for the same")
	}
}
