"""Characterization: Monte Carlo in ngspice, figures of merit, compact models. Imports `netlists` alone.

Where to look:

==================  =====================================================================================
what is varied      `plan`, `variation`, `distributions`, `quasi_random`; as a file: `plan_file`, `sweep`
a batch of chips    `sampling` draws, `transitions` measures, `calibration` and `recalibrate` write again;
                    `chips` puts them together
a run of batches    `montecarlo`; its parts `batch_task`, `workers`, `cluster`, `run_folder`, `run_store`,
                    `run_tables`, `sample_rows`, `run_progress`, `run_log`
figures of merit    `figures` (INL, DNL, codes), `sine_test`, `figure_table` (a whole run, yield)
fewer samples       `until`; `control_variate`, `estimators`, `control_chips`, `chip_statistics`
model of a ramp     `ramp_model`; `level_distribution`, `shift_distribution`, `noise_fit`,
                    `condition_fit`, `condition_table`; files: `model_file`; what it draws: `ramp_draw`
                    held against SPICE: `validation`; for other tools: `export`
models of the rest  `compact`: comparator, integrator, MAC column, crossbar, the composed column
transistor level    `blocks`, `blocks_ota`, `blocks_comparator`, `macro_fit`
energy              `energy`: of conversions and pulses, from the currents of a transient
programming         `write_verify`
files, versions     `provenance`
==================  =====================================================================================
"""
