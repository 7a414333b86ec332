package preemption

import "testing"

// FuzzWhatWorkersSay: whatever the others say of the end, there is a verdict
// or an error.
func FuzzWhatWorkersSay(f *testing.F) {
	f.Add([]byte(`{"Runs":0,"Noticed":true,"Ago":9223372036854775807}`), []byte(`{"Due":true}`))
	f.Add([]byte(`{"Runs":1}`), []byte(`null`))
	f.Add([]byte(`{"Noticed":true,"Ago":-9223372036854775808}`), []byte(`{`))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		said, err := new(CheckpointHandler).judge([][]byte{one, other})
		if err != nil && said != (verdict{}) {
			t.Errorf("judge() = %+v, %v", said, err)
		}
	})
}
