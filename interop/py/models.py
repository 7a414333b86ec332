"""Small models of Keras 3 and tf-keras (Keras 2), with values from a seed."""

import numpy as np
import tensorflow as tf

import values


def keras3(seed):
    import keras

    keras.utils.clear_session()  # or a second model's layers get other names
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(4, name="hidden"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(2, name="out"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    randomize(seed, model.variables + list(model.optimizer.variables))
    return model


def tf_keras(seed, legacy=False):
    import tf_keras as k

    k.backend.clear_session()
    model = k.Sequential([k.layers.Input((3,)), k.layers.Dense(4, name="hidden"), k.layers.Dense(2, name="out")])
    adam = k.optimizers.legacy.Adam(0.1) if legacy else k.optimizers.Adam(0.1)
    model.compile(adam, "mse")
    # One step makes the slots.
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    every = adam.variables() if legacy else adam.variables
    randomize(seed, model.variables + list(every))
    return model


def randomize(seed, variables):
    """Random values of each variable's own type."""
    rng = np.random.default_rng(seed)
    for v in variables:
        dtype = np.dtype(getattr(v.dtype, "as_numpy_dtype", v.dtype))
        if dtype.kind == "f":
            v.assign(rng.standard_normal(v.shape).astype(dtype))
        else:
            v.assign(rng.integers(0, 1000, v.shape).astype(dtype))


def _values(variables):
    return [
        {"name": v.path if hasattr(v, "path") else v.name} | values.encode(tf.convert_to_tensor(v))
        for v in variables
    ]


def restore_keras3(path, seed):
    model = keras3(seed)
    ckpt = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    ckpt.restore(path).assert_existing_objects_matched()
    return _values(model.variables + list(model.optimizer.variables))


def restore_tf_keras(path, seed):
    model = tf_keras(seed)
    model.load_weights(path).assert_existing_objects_matched()
    return _values(model.variables + list(model.optimizer.variables))


def restore_tf_keras_legacy(path, seed):
    model = tf_keras(seed, legacy=True)
    ckpt = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    ckpt.restore(path).assert_existing_objects_matched()
    return _values(model.variables + model.optimizer.variables())


RESTORE = {"keras3": restore_keras3, "tf_keras": restore_tf_keras, "tf_keras_legacy": restore_tf_keras_legacy}
