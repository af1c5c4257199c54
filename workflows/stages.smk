# One rule for each start of Python: what jobs share it, and what they read and write, the plan says.
# The root is `results`, or where Snakemake keeps copies of what lies in a storage.
# Longest way to the page first: training, then sampling, then measuring; claims fill the gaps, and their figures what is left while the tables are made.
PRIORITY = {"train": 4, "sample": 3, "work": 2, "measure": 2, "map": 1, "sensitivity": 1, "claim": 1, "tables": 1}

for stage, jobs in [(stage, jobs) for stage in STAGES for jobs in PLAN.batches(stage)]:
    named = Path(stage, jobs[0])

    rule:
        name:
            ".".join(named.parts)
        input:
            PLAN.paths(PLAN.needed(stage, jobs)),
        output:
            [path for job in jobs for path in PLAN.paths(PLAN.outputs(stage, job))],
            timing=PLAN.paths(timing(stage, job) for job in jobs),
        log:
            f"{OUT}/logs/{named}.log",
        benchmark:
            f"{OUT}/benchmarks/{named}.tsv"
        priority: PRIORITY.get(stage, 0)
        conda:
            "environment.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: MEMORY * attempt,
            runtime=lambda wildcards, attempt, most=LIMIT * len(jobs): LIMIT if attempt == 1 else most,
        params:
            stage=stage,
            names=jobs,
            jobs=" ".join(f"--job {job}" for job in jobs if job),
            rests_on=" ".join(f"--rests-on {RESTS_ON[timing(stage, job)]}" for job in jobs),
            root=lambda wildcards, output, path=f"{PLAN.suite.name}/{PLAN.outputs(stage, jobs[0])[0]}": output[0].removesuffix(path),
        message:
            f"{stage} {jobs[0]}".strip() + f" and {len(jobs) - 1} more" * (len(jobs) > 1)
        shell:
            "exec python -m scorebench stage {params.stage} {params.jobs} {params.rests_on} --results {params.root:q} > {log} 2>&1"
