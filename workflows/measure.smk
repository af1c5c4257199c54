# A job a target and metric; the package's metrics of one target share a start of Python, which takes as long as a job.
for metrics in PLAN.shared_metrics:

    rule:
        name:
            f"measure_{metrics[0].name}" if metrics[0].entry.elsewhere else "measure"
        input:
            lambda wildcards, metrics=metrics: PLAN.paths(PLAN.needed("measure", PLAN.of_target(wildcards.job, metrics))),
        output:
            [f"{OUT}/measure/{{job}}/{metric.slug}.csv.gz" for metric in metrics],
            timing=[f"{OUT}/timings/measure/{{job}}/{metric.slug}.json" for metric in metrics],
        log:
            f"{OUT}/logs/measure/{{job}}/{metrics[0].slug}.log" if metrics[0].entry.elsewhere else f"{OUT}/logs/measure/{{job}}.log",
        benchmark:
            f"{OUT}/benchmarks/measure/{{job}}/{metrics[0].slug}.tsv"
        priority: 1
        conda:
            "environment.yaml"
        threads: 1
        resources:
            mem_mb=MEMORY,
            runtime=LIMIT * len(metrics),
        params:
            stage="measure",
            names=lambda wildcards, metrics=metrics: PLAN.of_target(wildcards.job, metrics),
            jobs=lambda wildcards, metrics=metrics: " ".join(f"--job {job}" for job in PLAN.of_target(wildcards.job, metrics)),
            rests_on=lambda wildcards, metrics=metrics: rests_on(PLAN, RETRIED, "measure", *PLAN.of_target(wildcards.job, metrics)),
        shell:
            "python -m scorebench stage measure {params.jobs} > {log} 2>&1"


rule map:
    input:
        lambda wildcards: PLAN.paths(PLAN.inputs("map", wildcards.job)),
    output:
        f"{OUT}/map/{{job}}.npz",
        timing=f"{OUT}/timings/map/{{job}}.json",
    log:
        f"{OUT}/logs/map/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/map/{{job}}.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=MEMORY,
        runtime=LIMIT,
    params:
        rests_on=lambda wildcards: rests_on(PLAN, RETRIED, "map", wildcards.job),
    shell:
        "python -m scorebench stage map --job {wildcards.job} > {log} 2>&1"


if PLAN.sensitivities:

    rule sensitivity:
        output:
            PLAN.paths(path for job in PLAN.sensitivities for path in PLAN.outputs("sensitivity", job)),
            timing=[f"{OUT}/timings/sensitivity/{job}.json" for job in PLAN.sensitivities],
        log:
            f"{OUT}/logs/sensitivity.log",
        benchmark:
            f"{OUT}/benchmarks/sensitivity.tsv"
        conda:
            "environment.yaml"
        threads: 1
        resources:
            mem_mb=MEMORY,
            runtime=LIMIT * len(PLAN.sensitivities),
        params:
            stage="sensitivity",
            names=list(PLAN.sensitivities),
            jobs=" ".join(f"--job {job}" for job in PLAN.sensitivities),
            rests_on=rests_on(PLAN, RETRIED, "sensitivity", *PLAN.sensitivities),
        shell:
            "python -m scorebench stage sensitivity {params.jobs} > {log} 2>&1"
