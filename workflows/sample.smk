rule sample:
    input:
        lambda wildcards: PLAN.paths(PLAN.inputs("sample", wildcards.job)),
    output:
        f"{OUT}/sample/{{job}}.npz",
        timing=f"{OUT}/timings/sample/{{job}}.json",
    log:
        f"{OUT}/logs/sample/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/sample/{{job}}.tsv"
    priority: 2
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=MEMORY,
        runtime=LIMIT,
    params:
        rests_on=lambda wildcards: rests_on(PLAN, RETRIED, "sample", wildcards.job),
    shell:
        "python -m scorebench stage sample --job {wildcards.job} > {log} 2>&1"
