package storage

import (
	"context"
	"errors"
	"io/fs"
	"sync"
)

// Batcher is a Dir that commits or removes several files for the price of one.
// Call CommitAll and RemoveAll instead of its methods.
type Batcher interface {
	CommitAll(ctx context.Context, waves ...[]Pending) error
	RemoveAll(ctx context.Context, waves ...[]string) error
}

// atOnce bounds how many files of a wave are committed at the same time.
const atOnce = 8

// CommitAll commits pending files of d in waves: no file of a wave is seen, or
// found after loss of power, unless all of the waves before are. Inside a wave
// there is no order. All pendings are done with when CommitAll returns; after
// an error, those not yet published are discarded.
func CommitAll(ctx context.Context, d Dir, waves ...[]Pending) error {
	if b, ok := d.(Batcher); ok {
		return b.CommitAll(ctx, waves...)
	}
	for i, wave := range waves {
		err := ctx.Err()
		if err == nil {
			err = commitWave(wave)
		}
		if err != nil {
			return discardAll(err, waves[i:])
		}
	}
	return nil
}

// commitWave commits the files of a wave side by side and returns the first
// error in the wave's order.
func commitWave(wave []Pending) error {
	errs := make([]error, len(wave))
	free := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, p := range wave {
		free <- struct{}{}
		wg.Go(func() {
			errs[i] = p.Commit()
			<-free
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func discardAll(err error, waves [][]Pending) error {
	for _, wave := range waves {
		for _, p := range wave {
			err = withDiscard(err, p)
		}
	}
	return err
}

// Publisher is a Pending that can leave out what makes its name durable.
// Call Publish instead of its method.
type Publisher interface{ Publish() error }

// Publish is Commit without its last promise: after loss of power the name may
// have the old file again, but one of the two whole. It is for what can be done
// again, and spares a flush where a place has such a thing.
func Publish(p Pending) error {
	if q, ok := p.(Publisher); ok {
		return q.Publish()
	}
	return p.Commit()
}

// RemoveAll removes files of d in waves: after loss of power no file of a wave
// is gone unless all of the waves before are. Names that do not exist are
// passed over. A wave that fails is tried to its end; the waves after it are
// left alone.
func RemoveAll(ctx context.Context, d Dir, waves ...[]string) error {
	if b, ok := d.(Batcher); ok {
		return b.RemoveAll(ctx, waves...)
	}
	for _, wave := range waves {
		var errs []error
		for _, name := range wave {
			if err := d.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
	return nil
}
