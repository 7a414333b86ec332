package tfevents_test

import (
	"bytes"
	"fmt"
	"log"
	"time"

	"github.com/ckpt-dev/ckpt/format/tfevents"
)

func Example() {
	var file bytes.Buffer
	start := time.Unix(1700000000, 0)
	w, err := tfevents.NewWriter(&file, start)
	if err != nil {
		log.Fatal(err)
	}
	for step, loss := range []float64{1, 0.5, 0.25} {
		e := tfevents.Event{Time: start, Step: int64(step), Values: []tfevents.Value{tfevents.Scalar("loss", loss)}}
		if err := w.Write(e); err != nil {
			log.Fatal(err)
		}
	}
	for e, err := range tfevents.Read(&file) {
		if err != nil {
			log.Fatal(err)
		}
		for _, v := range e.Values {
			loss, _ := v.Scalar()
			fmt.Println(e.Step, v.Tag, loss)
		}
	}
	// Output:
	// 0 loss 1
	// 1 loss 0.5
	// 2 loss 0.25
}
