// Package coordinator is how the workers of one training run agree: who they
// are, and one operation, in which each gives some bytes and all get what all
// gave. What the bytes mean it does not know.
//
// # The five promises
//
// What a Group promises its callers, and what they promise in return. The
// subtests of coordinatortest carry the same numbers.
//
//  1. Everyone has a place. Size is the same for all members and never
//     changes; their Ranks are 0 to Size-1, each once. In return: every worker
//     uses the Group of its own rank only.
//
//  2. All get the same. An AllGather that returns nil returns what each member
//     gave, in the order of their ranks, and no member's returns nil before
//     every member has called it. In return: nobody changes what was returned.
//     What was given may be changed after the call.
//
//  3. Rounds meet by name, and those of one name in order: the first call of
//     each member meets the first of the others, the second the second. Rounds
//     of different names do not wait for each other. In return: what one member
//     calls, every member calls, also when it has nothing but an error to
//     tell; errors go through a round, not around it.
//
//  4. Nobody hangs. AllGather returns at the latest when its context ends, with
//     the context's error. A member that leaves a round this way, or comes to
//     it with a context that has ended, ends it: for those that wait, and for
//     those that come later, with ErrLeft. The rounds after it are as if
//     nothing had happened. In return: a context that must not wait for ever has
//     a deadline; of a worker that is gone without a word nobody may know.
//
//  5. Half an answer is none. If some members of a round get ErrLeft, those
//     that have got its answer already keep it. Whoever must know that all have
//     it asks in a second round.
//
// A Group is safe for use by several goroutines, as long as each name is used
// by one at a time.
package coordinator

import (
	"context"
	"errors"
)

// ErrLeft is returned by the round that another member has left.
var ErrLeft = errors.New("another worker has left")

// Group is one worker's membership in the group of all workers of a run. A nil
// Group stands for a worker that is alone, where one is optional.
// (TensorFlow: tf.distribute.cluster_resolver.ClusterResolver)
type Group interface {
	// Rank is this worker's number; 0 is the chief.
	Rank() int
	// Size is how many workers there are.
	Size() int
	// AllGather gives mine to the round of that name and returns what all
	// members gave, by rank.
	AllGather(ctx context.Context, round string, mine []byte) ([][]byte, error)
}
